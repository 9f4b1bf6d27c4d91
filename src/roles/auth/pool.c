/*
 * roles/auth/pool.c: see pool.h.
 *
 * Two lists under one lock: jobs that wait and jobs that are finished.  Finishing one writes to an eventfd
 * that the loop watches.
 */
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sys/file.h"

enum { THREADS_MAX = 64 };

struct job_list {
	struct pool_job *first;
	struct pool_job **end;
	size_t n;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job_list waiting;
	struct job_list finished;
	bool ending;
	size_t thread_count;
	pthread_t threads[THREADS_MAX];
	int event_fd;
	struct loop_io io;
};

static void list_init(struct job_list *l)
{
	l->first = NULL;
	l->end = &l->first;
	l->n = 0;
}

static void list_add(struct job_list *l, struct pool_job *job)
{
	job->next = NULL;
	*l->end = job;
	l->end = &job->next;
	l->n++;
}

static struct pool_job *list_take(struct job_list *l)
{
	struct pool_job *job = l->first;

	if (!job)
		return NULL;
	l->first = job->next;
	if (!l->first)
		l->end = &l->first;
	l->n--;
	return job;
}

static struct pool_job *take_locked(struct pool *p, struct job_list *l)
{
	struct pool_job *job;

	pthread_mutex_lock(&p->lock);
	job = list_take(l);
	pthread_mutex_unlock(&p->lock);
	return job;
}

static void tell_loop(const struct pool *p)
{
	static const uint64_t one = 1;

	/* Full means that the loop has been told already. */
	while (write(p->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

static void *thread_main(void *arg)
{
	struct pool *p = arg;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct pool_job *job = p->ending ? NULL : list_take(&p->waiting);

		if (job) {
			pthread_mutex_unlock(&p->lock);
			job->work(job);
			pthread_mutex_lock(&p->lock);
			list_add(&p->finished, job);
			tell_loop(p);
		} else if (p->ending) {
			break;
		} else {
			pthread_cond_wait(&p->wake, &p->lock);
		}
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void run_done(struct pool *p, struct job_list *l)
{
	struct pool_job *job;

	while ((job = take_locked(p, l)) != NULL)
		job->done(job);
}

static void on_finished(void *ctx, unsigned events)
{
	struct pool *p = ctx;
	uint64_t count;

	(void)events;
	if (read(p->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
		return;
	run_done(p, &p->finished);
}

/* Threads take no signals: those are the loop's. */
static enum err start_threads(struct pool *p, size_t threads)
{
	sigset_t all;
	sigset_t before;
	enum err err = OK;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while (!err && p->thread_count < size_min(threads, THREADS_MAX)) {
		if (pthread_create(&p->threads[p->thread_count], NULL, thread_main, p))
			err = ERR_IO;
		else
			p->thread_count++;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

enum err pool_new(struct loop *loop, size_t threads, struct pool **ret)
{
	struct pool *p = calloc(1, sizeof(*p));
	enum err err = OK;

	if (!p)
		return ERR_NOMEM;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->wake, NULL);
	list_init(&p->waiting);
	list_init(&p->finished);
	p->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->event_fd < 0)
		err = ERR_IO;
	if (!err && threads > 0) {
		loop_io_init(&p->io, loop, p->event_fd, on_finished, p);
		loop_io_want(&p->io, LOOP_READ);
		err = start_threads(p, threads);
	}
	if (err) {
		pool_free(p);
		return err;
	}
	*ret = p;
	return OK;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->ending = true;
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < p->thread_count; i++)
		(void)pthread_join(p->threads[i], NULL);
	run_done(p, &p->finished);
	run_done(p, &p->waiting);
	if (p->io.loop)
		loop_io_done(&p->io);
	fd_close(&p->event_fd);
	(void)pthread_cond_destroy(&p->wake);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

enum err pool_submit(struct pool *p, struct pool_job *job, size_t max_waiting)
{
	enum err err = OK;

	pthread_mutex_lock(&p->lock);
	if (p->waiting.n >= max_waiting) {
		err = ERR_BUSY;
	} else {
		list_add(&p->waiting, job);
		pthread_cond_signal(&p->wake);
	}
	pthread_mutex_unlock(&p->lock);
	return err;
}

size_t pool_waiting(struct pool *p)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = p->waiting.n;
	pthread_mutex_unlock(&p->lock);
	return n;
}

bool pool_step(struct pool *p)
{
	struct pool_job *job = take_locked(p, &p->waiting);

	if (!job)
		return false;
	job->work(job);
	job->done(job);
	return true;
}
