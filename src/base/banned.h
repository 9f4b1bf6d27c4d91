/*
 * base/banned.h: calls that must not compile, with what to use instead.
 *
 * Included by base.h and so by every file.  System headers are read first, so that only our own use
 * of the names is poisoned.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <wchar.h>

/* Some are macros with one compiler or the other; what is a macro cannot be poisoned. */
#undef sprintf
#undef vsprintf
#undef alloca

#pragma GCC poison strcpy strcat strncpy strncat stpcpy stpncpy /* buf_add, memcpy */
#pragma GCC poison sprintf vsprintf gets /* buf_addf */
#pragma GCC poison strtok strtok_r /* view_cut, cursor */
#pragma GCC poison atoi atol atoll strtol strtoul strtoll strtoull strtod /* num_u64 */
#pragma GCC poison gmtime localtime ctime asctime mktime /* date_ */
#pragma GCC poison system popen /* sys/process.h */
#pragma GCC poison alloca

#endif
