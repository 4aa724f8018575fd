/** The Test Anything Protocol, as Meson's protocol 'tap' reads it. Line-buffered, so that a crash
 *  loses nothing. */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>

/** One test point: "ok N - name" or "not ok N - name". Returns passed. */
__attribute__((format(printf, 2, 3))) bool tap_ok(bool passed, const char *name, ...);

/** A test point that this machine or build cannot run. */
__attribute__((format(printf, 2, 3))) void tap_skip(const char *reason, const char *name, ...);

/** A comment line. */
__attribute__((format(printf, 1, 2))) void tap_diag(const char *format, ...);

/** On SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT prints what tap_running() was last told. */
void tap_catch_crashes(void);
__attribute__((format(printf, 1, 2))) void tap_running(const char *format, ...);

/** Prints the plan; returns the exit status for main(). */
int tap_done(void);

#endif
