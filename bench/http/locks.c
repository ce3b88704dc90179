/* Preloaded into the server: measures how long each mutex is held between one SIGRTMIN and the next. At the end of the
 * process it writes the result to the file that LOCKS names.
 *
 * A hold lasts from the moment a thread has the mutex to its unlock, or to a wait for a condition, which releases the
 * mutex. Holds that began with a wait are counted separately. Each thread counts in its own table, so that measuring
 * makes no thread wait. A mutex is identified by the call stack when the thread first took it. The measurement's own
 * share of a hold is measured with an empty hold.
 *
 * A thread that loses its core while it holds a mutex holds it a thousand times longer than usual. A few such holds
 * would dominate a mean, so they are counted separately too. The kernel's restartable sequences (rseq) detect them:
 * the kernel clears the sequence that a thread has registered when it takes the core away. This one is empty and
 * restarts nothing.
 *
 * Not measured are locks inside glibc and the kernel, such as those of malloc's arenas, and locks that are not
 * mutexes.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <time.h>

enum { FRAMES = 12, SEATS = 4096, DEPTH = 16, EXPONENTS = 32, EMPTY_HOLDS = 20000 };

struct seat {
    void *mutex;
    uint64_t holds, nanoseconds;
    uint64_t waited, interrupted; /* got only after a wait, or with a loss of the core, and not in the two above */
    uint32_t exponents[EXPONENTS]; /* holds of less than 2^n ns, and not less than 2^(n-1) */
    void *frames[FRAMES];
};

struct table {
    struct table *next;
    struct seat seats[SEATS];
};

struct hold {
    struct seat *seat;
    void *mutex;
    uint64_t began;
    bool waited, interrupted;
};

static _Atomic(struct table *) tables;
static _Thread_local struct table *table;
static _Thread_local struct hold held[DEPTH];
static _Thread_local int depth;
/* Set while the call stack is read, so that the unwinder's own locks are not counted. */
static _Thread_local bool is_inside;
static atomic_bool is_on;

static int (*real_lock)(pthread_mutex_t *);
static int (*real_trylock)(pthread_mutex_t *);
static int (*real_unlock)(pthread_mutex_t *);
static int (*real_wait)(pthread_cond_t *, pthread_mutex_t *);
static int (*real_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_clockwait)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);

/* glibc has two versions of the condition functions, and a lookup without a version may find the old one. */
static void *condition(const char *name) {
    void *found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
    return found ? found : dlsym(RTLD_NEXT, name);
}

static void find_real(void) {
    if (real_lock) return;
    real_trylock = dlsym(RTLD_NEXT, "pthread_mutex_trylock");
    real_unlock = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
    real_wait = condition("pthread_cond_wait");
    real_timedwait = condition("pthread_cond_timedwait");
    real_clockwait = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
    real_lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static struct table *own_table(void) {
    if (table) return table;
    table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED) abort();
    table->next = atomic_load(&tables);
    while (!atomic_compare_exchange_weak(&tables, &table->next, table)) {}
    return table;
}

/* Null if the table is full. */
static struct seat *seat_of(void *mutex) {
    struct seat *seats = own_table()->seats;
    size_t place = ((uintptr_t)mutex * UINT64_C(0x9E3779B97F4A7C15)) >> 52;
    for (int i = 0; i < SEATS; i++, place = (place + 1) % SEATS) {
        if (seats[place].mutex == mutex) return &seats[place];
        if (seats[place].mutex) continue;
        is_inside = true;
        backtrace(seats[place].frames, FRAMES);
        is_inside = false;
        seats[place].mutex = mutex;
        return &seats[place];
    }
    return NULL;
}

/* Even an empty sequence needs a restart address, after the kernel's signature. */
static const uint32_t signature = RSEQ_SIG;
static struct rseq_cs sequence;

static bool knows_sequences(void) { return __rseq_size > 0; }

static volatile uint64_t *announced(void) {
    struct rseq *own = (void *)((char *)__builtin_thread_pointer() + __rseq_offset);
    return (volatile uint64_t *)&own->rseq_cs;
}

/* Marks all current holds as interrupted if the thread has lost its core. */
static void note_interruption(void) {
    if (depth == 0 || !knows_sequences() || *announced()) return;
    for (int i = 0; i < depth; i++) held[i].interrupted = true;
}

static void announce(void) {
    if (knows_sequences()) *announced() = depth > 0 ? (uintptr_t)&sequence : 0;
}

static void begin(void *mutex, struct seat *seat, bool waited) {
    if (depth == DEPTH) return;
    note_interruption();
    struct hold *hold = &held[depth++];
    *hold = (struct hold){seat, mutex, 0, waited, false};
    announce();
    hold->began = now();
}

/* Removes the hold. It is usually the last one, but locks may be released in any order. */
static bool end(void *mutex, struct hold *hold) {
    note_interruption();
    for (int i = depth; i-- > 0;) {
        if (held[i].mutex != mutex) continue;
        *hold = held[i];
        memmove(&held[i], &held[i + 1], (size_t)(--depth - i) * sizeof *held);
        announce();
        return true;
    }
    return false;
}

static void count(struct hold hold, uint64_t ended) {
    struct seat *seat = hold.seat;
    if (!seat) return;
    if (hold.waited || hold.interrupted) {
        ++*(hold.waited ? &seat->waited : &seat->interrupted);
        return;
    }
    uint64_t nanoseconds = ended - hold.began;
    int exponent = nanoseconds ? 64 - __builtin_clzll(nanoseconds) : 0;
    seat->holds++;
    seat->nanoseconds += nanoseconds;
    seat->exponents[exponent < EXPONENTS ? exponent : EXPONENTS - 1]++;
}

static bool is_counted(void) { return atomic_load_explicit(&is_on, memory_order_relaxed) && !is_inside; }

int pthread_mutex_lock(pthread_mutex_t *mutex) {
    find_real();
    if (!is_counted()) return real_lock(mutex);
    struct seat *seat = seat_of(mutex);
    bool waited = real_trylock(mutex) != 0;
    int code = waited ? real_lock(mutex) : 0;
    if (code == 0) begin(mutex, seat, waited);
    return code;
}

int pthread_mutex_trylock(pthread_mutex_t *mutex) {
    find_real();
    if (!is_counted()) return real_trylock(mutex);
    struct seat *seat = seat_of(mutex);
    int code = real_trylock(mutex);
    if (code == 0) begin(mutex, seat, false);
    return code;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex) {
    find_real();
    if (!is_counted()) return real_unlock(mutex);
    uint64_t ended = now();
    struct hold hold;
    bool found = end(mutex, &hold);
    int code = real_unlock(mutex);
    if (found) count(hold, ended);
    return code;
}

#define AROUND(mutex, wait)                                    \
    find_real();                                               \
    if (!is_counted()) return wait;                            \
    uint64_t ended = now();                                    \
    struct hold hold;                                          \
    bool found = end(mutex, &hold);                            \
    if (found) count(hold, ended);                             \
    int code = wait;                                           \
    if (found) begin(mutex, hold.seat, true);                  \
    return code

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) {
    AROUND(mutex, real_wait(condition, mutex));
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    AROUND(mutex, real_timedwait(condition, mutex, until));
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *until) {
    AROUND(mutex, real_clockwait(condition, mutex, clock, until));
}

/* A line for each mutex of each thread: the thread's table, the mutex, the figures, and where it was taken. */
static void write_seat(FILE *file, const struct table *owner, const struct seat *seat) {
    if (seat->holds + seat->waited + seat->interrupted == 0) return;
    fprintf(file, "%p %p %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, (void *)owner, seat->mutex, seat->holds,
            seat->nanoseconds, seat->waited, seat->interrupted);
    for (int i = 0; i < EXPONENTS; i++) fprintf(file, "%c%" PRIu32, i ? ',' : ' ', seat->exponents[i]);
    for (int i = 0; i < FRAMES && seat->frames[i]; i++) {
        Dl_info place;
        if (!dladdr(seat->frames[i], &place) || !place.dli_fname) continue;
        /* The address after a call may belong to the next line, or to another function. */
        fprintf(file, "\t%s|%#tx|%s", place.dli_fname, (char *)seat->frames[i] - 1 - (char *)place.dli_fbase,
                place.dli_sname ? place.dli_sname : "");
    }
    fputc('\n', file);
}

static double empty_hold(void) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    for (int i = 0; i < EMPTY_HOLDS; i++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
    struct seat *seat = seat_of(&mutex);
    double nanoseconds = seat ? (double)seat->nanoseconds / (double)seat->holds : 0;
    if (seat) *seat = (struct seat){.mutex = &mutex};
    return nanoseconds;
}

static double empty;

static void turn_over(int number) {
    (void)number;
    atomic_store(&is_on, !atomic_load(&is_on));
}

__attribute__((constructor)) static void start(void) {
    if (!getenv("LOCKS")) return;
    find_real();
    sequence.abort_ip = (uintptr_t)(&signature + 1);
    void *frame;
    /* Loads the unwinder. */
    backtrace(&frame, 1);
    atomic_store(&is_on, true);
    empty = empty_hold();
    atomic_store(&is_on, false);
    signal(SIGRTMIN, turn_over);
}

__attribute__((destructor)) static void finish(void) {
    const char *name = getenv("LOCKS");
    FILE *file = name ? fopen(name, "w") : NULL;
    if (!file) return;
    atomic_store(&is_on, false);
    fprintf(file, "%.1f\n", empty);
    for (struct table *each = atomic_load(&tables); each; each = each->next)
        for (int i = 0; i < SEATS; i++)
            if (each->seats[i].mutex) write_seat(file, each, &each->seats[i]);
    fclose(file);
}
