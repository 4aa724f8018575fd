#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REMEDY "give a path that can be written"

/** The temporary file to remove when a signal ends the program; one output is open at a time. */
static char *volatile guarded;

static void remove_and_end(int signal_number) {
    static const char said[] = "\nnarrowmac: interrupted; nothing was written\n";
    if (guarded)
        unlink(guarded);
    if (write(STDERR_FILENO, said, sizeof said - 1) < 0) {
        // nowhere left to say it
    }
    _exit(128 + signal_number);
}

void output_guard(void) {
    const struct sigaction action = {.sa_handler = remove_and_end};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    // A closed pipe is an error of write(), which output_end() reports.
    signal(SIGPIPE, SIG_IGN);
}

/** Follows a symbolic link, so that the file it names is replaced and not the link. */
static char *final_path(const char *path) {
    char *resolved = realpath(path, NULL);
    return resolved ? resolved : strdup(path);
}

static bool open_temporary(struct output *output, struct error *error) {
    output->path = final_path(output->name);
    const size_t size = output->path ? strlen(output->path) + 8 : 0;
    output->temporary = size ? malloc(size) : NULL;
    if (!output->temporary)
        return fail_memory(error, output->name);
    snprintf(output->temporary, size, "%s.XXXXXX", output->path);
    const int descriptor = mkstemp(output->temporary);
    if (descriptor < 0)
        return fail_errno(error, output->name, REMEDY);
    guarded = output->temporary;
    const mode_t mask = umask(0);
    umask(mask);
    if (fchmod(descriptor, 0666 & ~mask) != 0 || !(output->file = fdopen(descriptor, "wb"))) {
        close(descriptor);
        return fail_errno(error, output->name, REMEDY);
    }
    return true;
}

bool output_open(struct output *output, const char *path, struct error *error) {
    *output = (struct output){.name = path};
    if (strcmp(path, "-") == 0) {
        output->name = "standard output";
        output->file = stdout;
        return true;
    }
    struct stat status;
    const bool exists = stat(path, &status) == 0;
    if (exists && S_ISDIR(status.st_mode))
        return fail(error, "%s: is a directory; give a file's name", path);
    if (exists && !S_ISREG(status.st_mode)) {
        output->file = fopen(path, "wb");
        return output->file || fail_errno(error, path, REMEDY);
    }
    // rename() would replace a file that may not be written to.
    if (exists && access(path, W_OK) != 0)
        return fail_errno(error, path, REMEDY);
    if (open_temporary(output, error))
        return true;
    output_discard(output);
    return false;
}

static void release(struct output *output) {
    guarded = NULL;
    free(output->path);
    free(output->temporary);
    *output = (struct output){0};
}

bool output_commit(struct output *output, struct error *error) {
    if (!output->path && output->file == stdout)
        return fflush(stdout) == 0 || fail_errno(error, output->name, REMEDY);
    bool good = fflush(output->file) == 0 && !ferror(output->file);
    if (output->temporary)
        good = good && fsync(fileno(output->file)) == 0;
    good = fclose(output->file) == 0 && good;
    output->file = NULL;
    if (good && output->temporary)
        good = rename(output->temporary, output->path) == 0;
    if (!good) {
        fail_errno(error, output->name, REMEDY);
        output_discard(output);
        return false;
    }
    release(output);
    return true;
}

void output_discard(struct output *output) {
    if (output->file && output->file != stdout)
        fclose(output->file);
    if (output->temporary)
        unlink(output->temporary);
    release(output);
}

bool output_check(const char *path, struct error *error) {
    struct output output;
    struct stat status;
    if (strcmp(path, "-") == 0 || (stat(path, &status) == 0 && S_ISFIFO(status.st_mode)))
        return true;
    if (!output_open(&output, path, error))
        return false;
    output_discard(&output);
    return true;
}

bool output_json(const char *path, const struct json_t *document, struct error *error) {
    struct output output;
    if (!output_open(&output, path, error))
        return false;
    errno = 0;
    if (json_dumpf(document, output.file, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) != 0 ||
        fputc('\n', output.file) == EOF) {
        if (!errno)
            errno = ENOMEM;
        fail_errno(error, output.name, REMEDY);
        output_discard(&output);
        return false;
    }
    return output_commit(&output, error);
}

int output_end(void) {
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_DONE;
    if (errno == EPIPE) // the reader has seen enough
        return EXIT_DONE;
    struct error error;
    fail_errno(&error, "standard output", REMEDY);
    return report(&error);
}

double monotonic_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void progress(const char *text, double done, double since) {
    if (!isatty(STDERR_FILENO))
        return;
    const double elapsed = monotonic_seconds() - since;
    fprintf(stderr, "\r\033[K%3.0f%% %s, %.0f s", 100 * done, text, elapsed);
    if (done > 0.02)
        fprintf(stderr, ", about %.0f s left", elapsed * (1 - done) / done);
}

void progress_clear(void) {
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
}
