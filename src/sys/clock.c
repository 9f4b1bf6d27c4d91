/*
 * sys/clock.c: see clock.h.
 */
#include "sys/clock.h"

static int64_t fixed_wall_ms = -1;
static int64_t fixed_mono_ms = -1;

static int64_t clock_us(clockid_t id)
{
	struct timespec t;

	ASSERT(clock_gettime(id, &t) == 0);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
	return fixed_wall_ms >= 0 ? fixed_wall_ms : clock_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_wall(void)
{
	return clock_wall_ms() / 1000;
}

int64_t clock_mono_us(void)
{
	return fixed_mono_ms >= 0 ? fixed_mono_ms * 1000 : clock_us(CLOCK_BOOTTIME);
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int clock_zone(int64_t seconds)
{
	/* Zones change at full quarters of an hour, and the rules take a while to look up. */
	static int64_t known_quarter = INT64_MIN;
	static int known_zone;
	time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds / 900 == known_quarter)
		return known_zone;
	if (!localtime_r(&t, &tm))
		return 0;
	known_quarter = seconds / 900;
	known_zone = (int)(tm.tm_gmtoff / 60);
	return known_zone;
}

void clock_set_wall_ms(int64_t ms)
{
	fixed_wall_ms = ms;
}

void clock_set_mono_ms(int64_t ms)
{
	fixed_mono_ms = ms;
}
