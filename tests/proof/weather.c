/* Loaded into a Redis server by LD_PRELOAD: disks that take their time, and a clock that jumps.
 * The file named by WEATHER has two 64-bit numbers: milliseconds each fsync takes longer, milliseconds the clock is off. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *weather(void) {
    static volatile int64_t *map;
    if (!map) {
        int fd = open(getenv("WEATHER"), O_RDONLY);
        if (fd < 0) abort();
        map = mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
    }
    return map;
}

static void wait_for_the_disk(void) { usleep(weather()[0] * 1000); }

int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    wait_for_the_disk();
    return real(fd);
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
    wait_for_the_disk();
    return real(fd);
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    static int (*real)(struct timeval *, void *);
    if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
    int told = real(at, zone);
    at->tv_sec += weather()[1] / 1000;
    return told;
}

int clock_gettime(clockid_t which, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int told = real(which, at);
    if (which == CLOCK_REALTIME) at->tv_sec += weather()[1] / 1000;
    return told;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
