#include "tap.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int points, failures;
static char running[512];

static void print_point(bool passed, const char *name, va_list arguments) {
    points++;
    printf("%sok %d - ", passed ? "" : "not ", points);
    vprintf(name, arguments);
}

bool tap_ok(bool passed, const char *name, ...) {
    va_list arguments;
    va_start(arguments, name);
    print_point(passed, name, arguments);
    va_end(arguments);
    puts("");
    fflush(stdout);
    failures += !passed;
    return passed;
}

void tap_skip(const char *reason, const char *name, ...) {
    va_list arguments;
    va_start(arguments, name);
    print_point(true, name, arguments);
    va_end(arguments);
    printf(" # SKIP %s\n", reason);
    fflush(stdout);
}

void tap_diag(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("# ");
    vprintf(format, arguments);
    puts("");
    va_end(arguments);
    fflush(stdout);
}

void tap_running(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(running, sizeof running, format, arguments);
    va_end(arguments);
}

/** Only async-signal-safe calls. */
static void crashed(int number) {
    static const char bail[] = "Bail out! crashed in: ";
    ssize_t written = write(STDOUT_FILENO, bail, sizeof bail - 1);
    written += write(STDOUT_FILENO, running, strnlen(running, sizeof running));
    written += write(STDOUT_FILENO, "\n", 1);
    _exit(written > 0 ? 128 + number : 1);
}

void tap_catch_crashes(void) {
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signal(numbers[i], crashed);
}

int tap_done(void) {
    printf("1..%d\n", points);
    return failures != 0;
}
