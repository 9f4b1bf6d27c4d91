/*
 * sys/sandbox_rules.h: the system calls of each class.
 */
#ifndef SYS_SANDBOX_RULES_H
#define SYS_SANDBOX_RULES_H

#include "sys/sandbox.h"

/* Install the allow-list of s->class; everything else answers EPERM, and what only an attacker would
 * call kills the process. */
MUST_USE enum err sandbox_seccomp(const struct sandbox *s);

#endif
