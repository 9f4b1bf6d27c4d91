/*
 * roles/auth/pool.h: a few threads for password hashes, so that the loop never waits for one.
 *
 * Jobs run in the order in which they came.  work runs in a thread and may touch nothing but its job;
 * done runs in the loop's thread.  With no threads (tests) jobs wait for pool_step.
 */
#ifndef ROLES_AUTH_POOL_H
#define ROLES_AUTH_POOL_H

#include "sys/loop.h"

struct pool;

/* The first member of the caller's structure; the pool's from submission until done. */
struct pool_job {
	struct pool_job *next;
	void (*work)(struct pool_job *job);
	void (*done)(struct pool_job *job);
};

/* loop may be NULL if threads is 0.  Owned by caller, pool_free.  ERR_NOMEM, ERR_IO. */
MUST_USE enum err pool_new(struct loop *loop, size_t threads, struct pool **ret);
/* Lets running jobs end; done is called for all, also for those that never ran. */
void pool_free(struct pool *p);
/* ERR_BUSY when max_waiting jobs wait for a thread already. */
MUST_USE enum err pool_submit(struct pool *p, struct pool_job *job, size_t max_waiting);
/* Jobs that no thread has taken yet. */
size_t pool_waiting(struct pool *p);
/* Run one waiting job here and now; false if there is none. */
bool pool_step(struct pool *p);

#endif
