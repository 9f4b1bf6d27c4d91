/*
 * spool/failpoints.h: the places in the journal at which a test may kill the process.
 *
 * Every step that changes what a restart would find has a label before or behind it (THREATS.md 5).
 * Tests walk through the list; a label that is used and not listed does not compile.
 */
#ifndef SPOOL_FAILPOINTS_H
#define SPOOL_FAILPOINTS_H

#include "sys/file.h"

#define SPOOL_FAILPOINTS(X)                                                                        \
	X(CREATED, "spool.segment.created") /* a new file exists, without header */                \
	X(HEADED, "spool.segment.headed") /* its first header is written */                        \
	X(OPENED, "spool.segment.opened") /* both headers are written, the folder synced */        \
	X(BEFORE_WRITE, "spool.write.before") /* a batch is about to be written */                 \
	X(WRITTEN, "spool.write.behind") /* written, nobody knows yet */                           \
	X(ANSWERED, "spool.write.answered") /* all that waited for it were told */                 \
	X(ABANDONED, "spool.segment.abandoned") /* a write failed, nothing was rewritten yet */    \
	X(COPYING, "spool.clean.copying") /* copies wait for the next batch */                     \
	X(FREEING, "spool.clean.freeing") /* nothing lives in the oldest segment */

#define SPOOL_FAILPOINT_NAME(name, label) SPOOL_FAIL_##name,
enum spool_failpoint { SPOOL_FAILPOINTS(SPOOL_FAILPOINT_NAME) SPOOL_FAIL_COUNT };

#define SPOOL_FAILPOINT_LABEL(name, label) label,
static const char *const spool_failpoint_labels[] = { SPOOL_FAILPOINTS(SPOOL_FAILPOINT_LABEL) };

static inline void spool_failpoint(enum spool_failpoint at)
{
	failpoint(spool_failpoint_labels[at]);
}

#endif
