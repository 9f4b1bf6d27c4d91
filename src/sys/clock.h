/*
 * sys/clock.h: the only source of time.  Tests set it.
 */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include "base/base.h"

/* Milliseconds since 1970 UTC; may jump. */
int64_t clock_wall_ms(void);
/* Seconds since 1970 UTC. */
int64_t clock_wall(void);
/* Milliseconds that never go back; only differences mean anything.  Includes time asleep. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* Minutes east of UTC at that moment, by the system's zone (0 in a sandbox without zone data). */
int clock_zone(int64_t seconds);

/* Tests only: fixed times, -1 for the kernel's. */
void clock_set_wall_ms(int64_t ms);
void clock_set_mono_ms(int64_t ms);

#endif
