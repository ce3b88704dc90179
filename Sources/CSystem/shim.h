#pragma once
#include <sys/prctl.h>

// Swift cannot call a function with a variable number of arguments.
static inline int reengagement_forbid_dumps(void) {
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
