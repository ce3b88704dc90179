#pragma once
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

// Swift imports the enumerators of EPOLL_EVENTS with differing types.
static const unsigned int reengagement_EPOLLIN = EPOLLIN;
static const unsigned int reengagement_EPOLLRDHUP = EPOLLRDHUP;
static const unsigned int reengagement_EPOLLONESHOT = EPOLLONESHOT;

// The headers declare these GNU extensions only with _GNU_SOURCE. With it, this module's types would differ from those
// of Swift's Glibc module.
int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);
int memfd_create(const char *name, unsigned int flags);
static const unsigned int reengagement_MFD_CLOEXEC = 1U;

// Swift cannot call a function with a variable number of arguments.
static inline int reengagement_forbid_dumps(void) {
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
