/*
 * store/failpoints.h: every label at which a test may kill this library (sys/file.h, failpoint).
 *
 * One row per durable state change.  tests/unit/store/crash_test.c kills at each; a label that is not in
 * this list is a defect.
 */
#ifndef STORE_FAILPOINTS_H
#define STORE_FAILPOINTS_H

#define STORE_FAILPOINTS(X)                                                                        \
	X("store.pack.created")                                                                    \
	X("store.pack.header-synced")                                                              \
	X("store.pack.dir-synced")                                                                 \
	X("store.pack.published")                                                                  \
	X("store.commit.before-pack")                                                              \
	X("store.commit.after-pack")                                                               \
	X("store.commit.after-sync")                                                               \
	X("store.commit.after-index")                                                              \
	X("store.sync.after")                                                                      \
	X("store.checkpoint.pack-done")                                                            \
	X("store.checkpoint.marked")                                                               \
	X("store.checkpoint.done")                                                                 \
	X("store.vfs.wal-synced")                                                                  \
	X("store.vfs.db-write")                                                                    \
	X("store.vfs.db-synced")                                                                   \
	X("store.close.recorded")                                                                  \
	X("store.recover.wal-kept")                                                                \
	X("store.recover.wal-dropped")                                                             \
	X("store.recover.replayed")                                                                \
	X("store.recover.cut")                                                                     \
	X("store.recover.numbers")                                                                 \
	X("store.abandon.copied")                                                                  \
	X("store.abandon.done")                                                                    \
	X("store.compact.snapshot")                                                                \
	X("store.compact.copied")                                                                  \
	X("store.compact.index")                                                                   \
	X("store.compact.checkpoint")                                                              \
	X("store.compact.unlinked")                                                                \
	X("store.rebuild.dropped")                                                                 \
	X("store.rebuild.located")                                                                 \
	X("store.rebuild.replayed")                                                                \
	X("store.rebuild.digested")

#endif
