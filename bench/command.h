/** The sub-commands: one file each, one row each in main.c. */
#ifndef BENCH_COMMAND_H
#define BENCH_COMMAND_H

/** argv[0] is the sub-command's name. Returns the exit status (error.h). */
int cmd_accuracy(int argc, const char **argv);
int cmd_bench(int argc, const char **argv);
int cmd_compare(int argc, const char **argv);
int cmd_conv(int argc, const char **argv);
int cmd_cpuinfo(int argc, const char **argv);
int cmd_history(int argc, const char **argv);
int cmd_record(int argc, const char **argv);

#endif
