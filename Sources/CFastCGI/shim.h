#pragma once
#include <fastcgi.h>
#include <fcgiapp.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/socket.h>

// Enumerators of EPOLL_EVENTS arrive in Swift as values of differing types.
static const unsigned int reengagement_EPOLLIN = EPOLLIN;
static const unsigned int reengagement_EPOLLRDHUP = EPOLLRDHUP;
static const unsigned int reengagement_EPOLLONESHOT = EPOLLONESHOT;

static const int reengagement_M_MMAP_THRESHOLD = M_MMAP_THRESHOLD;
static const int reengagement_M_TRIM_THRESHOLD = M_TRIM_THRESHOLD;
static const unsigned int reengagement_MFD_CLOEXEC = 1U;

// GNU extensions that the headers hide: declared here, since _GNU_SOURCE would make this module's view of
// the system's types differ from that of Swift's Glibc module.
int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);
int memfd_create(const char *name, unsigned int flags);
