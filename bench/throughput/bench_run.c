#include "throughput/bench_run.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/output.h"
#include "base/tensor.h"
#include "throughput/ceiling.h"
#include "throughput/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t bench_group_end(const struct bench *bench, size_t first) {
    const struct row *start = &bench->rows[first];
    size_t end = first;
    while (end < bench->row_count && bench->rows[end].layer == start->layer &&
           bench->rows[end].threads == start->threads)
        end++;
    return end;
}

/** Bytes of weights to cycle through; 0 where the suite is not a cold one. Bounded by a share of
 *  the free memory, as every implementation of the group keeps its own. */
static size_t cold_bytes(const struct suite *suite, size_t sharers) {
    if (suite->cache_multiple == 0)
        return 0;
    const size_t wanted = (size_t)(suite->cache_multiple * (double)cache_largest(32 << 20));
    const size_t bound = memory_available() / (2 * sharers);
    return wanted < bound ? wanted : bound;
}

/** Compares one run with the reference. */
static void verify(struct row *row, const struct operands *operands) {
    const struct peer *peer = row->implementation->peer;
    void *output = aligned_bytes(operands->output_bytes);
    if (!output)
        out_of_memory();
    row->runner.run(row->runner.state);
    row->runner.fetch(row->runner.state, output);
    const struct agreement a = operands_compare(operands, output, peer ? peer->slack : 0);
    free(output);
    row->outcome = ROW_MEASURED;
    if (!a.good && !peer)
        row->outcome = ROW_FAILED;
    if (!a.good || (peer && a.differing && operands->desc.precision != NM_F32))
        row->message =
            need_format("%zu of %zu outputs differ from the reference, by up to %g%s", a.differing,
                        operands->output_count, a.largest, a.good ? " (allowed to a peer)" : "");
}

/** Plans a row and checks it; rows that cannot run say why. */
static bool prepare(const struct bench *bench, struct row *row, const struct operands *operands,
                    size_t sharers, struct error *error) {
    const struct implementation *who = row->implementation;
    const size_t cold = cold_bytes(row->suite, sharers);
    nm_status status = NM_UNSUPPORTED;
    struct error reason;
    const bool good = who->peer
                          ? who->peer->create(operands, row->threads, cold, &row->runner, &reason)
                          : plan_create(operands, who->isa, bench->algorithm, row->threads, cold,
                                        &row->runner, &status, &reason);
    if (!good && status == NM_OUT_OF_MEMORY) {
        *error = reason;
        return false;
    }
    if (!good) {
        row->outcome = ROW_SKIPPED;
        row->message = need_format("%s", reason.message);
        return true;
    }
    row->runner.macs = (uint64_t)operands->output_count * operands->desc.kernel_height *
                       operands->desc.kernel_width * operands->desc.in_channels /
                       operands->desc.groups;
    verify(row, operands);
    return true;
}

static nm_precision ceiling_kind(nm_precision precision) {
    return precision == NM_F32 ? NM_F32 : NM_W8A8;
}

static size_t find_ceiling(const struct bench *bench, const struct row *row) {
    size_t i = 0;
    while (i < bench->ceiling_count &&
           (bench->ceilings[i].isa != row->implementation->isa ||
            bench->ceilings[i].precision != ceiling_kind(row->precision) ||
            bench->ceilings[i].threads != row->threads))
        i++;
    return i;
}

static void add_ceiling(struct bench *bench, const struct row *row) {
    if (find_ceiling(bench, row) < bench->ceiling_count)
        return;
    bench->ceilings = need_more(bench->ceilings, bench->ceiling_count + 1, sizeof *bench->ceilings);
    bench->ceilings[bench->ceiling_count++] =
        (struct ceiling_record){.isa = row->implementation->isa,
                                .precision = ceiling_kind(row->precision),
                                .threads = row->threads};
}

/** What is timed together: the rows that can run, then the ceilings they are held against. */
struct group {
    struct measured *items;
    struct row **rows; /**< [row_count], of the first items */
    size_t row_count;
    size_t *ceilings; /**< [ceiling_count], indices of bench->ceilings, of the other items */
    struct runner *ceiling_runners;
    size_t ceiling_count;
};

static void group_add_ceiling(struct bench *bench, struct group *group, const struct row *row) {
    const size_t index = find_ceiling(bench, row);
    for (size_t i = 0; i < group->ceiling_count; i++) {
        if (group->ceilings[i] == index)
            return;
    }
    group->ceilings[group->ceiling_count++] = index;
}

static struct group group_create(struct bench *bench, struct row *rows, size_t count) {
    struct group group = {.items = need(2 * count, sizeof *group.items),
                          .rows = need(count, sizeof(struct row *)),
                          .ceilings = need(count, sizeof(size_t)),
                          .ceiling_runners = need(count, sizeof(struct runner))};
    for (size_t i = 0; i < count; i++) {
        if (rows[i].outcome != ROW_MEASURED)
            continue;
        group.rows[group.row_count++] = &rows[i];
        if (!ceiling_known(rows[i].implementation->isa))
            continue;
        add_ceiling(bench, &rows[i]);
        group_add_ceiling(bench, &group, &rows[i]);
    }
    for (size_t i = 0; i < group.row_count; i++) {
        group.rows[i]->samples = need(bench->repetitions, sizeof(struct sample));
        group.items[i] =
            (struct measured){.runner = &group.rows[i]->runner, .samples = group.rows[i]->samples};
    }
    for (size_t i = 0; i < group.ceiling_count; i++) {
        const struct ceiling_record *record = &bench->ceilings[group.ceilings[i]];
        group.ceiling_runners[i] = ceiling_create(record->isa, record->precision, record->threads);
        group.items[group.row_count + i] =
            (struct measured){.runner = &group.ceiling_runners[i],
                              .samples = need(bench->repetitions, sizeof(struct sample))};
    }
    return group;
}

static void group_destroy(struct group *group) {
    for (size_t i = 0; i < group->ceiling_count; i++) {
        runner_destroy(&group->ceiling_runners[i]);
        free(group->items[group->row_count + i].samples);
    }
    free(group->ceiling_runners);
    free(group->ceilings);
    free(group->rows);
    free(group->items);
}

/** Keeps the rates of a ceiling and tells their median over this group. */
static double keep_ceiling(struct bench *bench, const struct group *group, size_t i) {
    struct ceiling_record *record = &bench->ceilings[group->ceilings[i]];
    const struct measured *item = &group->items[group->row_count + i];
    record->rates =
        need_more(record->rates, record->count + bench->repetitions, sizeof *record->rates);
    double *rates = record->rates + record->count;
    for (size_t r = 0; r < bench->repetitions; r++)
        rates[r] = (double)item->runner->macs / item->samples[r].real;
    record->count += bench->repetitions;
    return stats_of(rates, bench->repetitions).median;
}

static void keep_row(const struct bench *bench, struct row *row, size_t iterations) {
    double *real = need(bench->repetitions, sizeof *real);
    double *cpu = need(bench->repetitions, sizeof *cpu);
    for (size_t r = 0; r < bench->repetitions; r++) {
        real[r] = row->samples[r].real;
        cpu[r] = row->samples[r].cpu;
    }
    row->real = stats_of(real, bench->repetitions);
    row->cpu = stats_of(cpu, bench->repetitions);
    row->iterations = iterations;
    free(real);
    free(cpu);
}

/** Progress of a group: repetitions done, of the share of the whole run that the group is. */
struct tick {
    const struct bench *bench;
    const char *name;
    size_t before, rows, done, total;
};

static void tick(void *context) {
    struct tick *t = context;
    t->done++;
    const double rows = (double)t->before + (double)t->rows * (double)t->done / (double)t->total;
    progress(t->name, rows / (double)t->bench->row_count, t->bench->started);
}

static void time_group(struct bench *bench, size_t first, size_t end) {
    struct group group = group_create(bench, bench->rows + first, end - first);
    const size_t items = group.row_count + group.ceiling_count;
    struct tick t = {bench, bench->rows[first].name,   first, end - first,
                     0,     items * bench->repetitions};
    const struct measure_options options = {bench->repetitions, bench->min_time, tick, &t,
                                            bench->double_every};
    measure(group.items, items, &options);
    for (size_t c = 0; c < group.ceiling_count; c++) {
        const double median = keep_ceiling(bench, &group, c);
        for (size_t i = 0; i < group.row_count; i++) {
            if (find_ceiling(bench, group.rows[i]) == group.ceilings[c])
                group.rows[i]->ceiling = median;
        }
    }
    for (size_t i = 0; i < group.row_count; i++)
        keep_row(bench, group.rows[i], group.items[i].iterations);
    group_destroy(&group);
}

/** Frees what a runner holds and keeps its figures. */
static void retire(struct runner *runner) {
    if (runner->destroy)
        runner->destroy(runner->state);
    runner->state = NULL;
    runner->destroy = NULL;
}

bool bench_measure(struct bench *bench, size_t first, size_t end, struct error *error) {
    struct operands operands[NM_PRECISION_COUNT] = {0};
    bool good = true;
    progress(bench->rows[first].name, (double)first / (double)bench->row_count, bench->started);
    for (size_t i = first; good && i < end; i++) {
        struct row *row = &bench->rows[i];
        struct operands *own = &operands[row->precision];
        good = own->reference || operands_create(row->layer, bench->batch, row->precision,
                                                 bench->max_threads, own, error);
        good = good && prepare(bench, row, own, end - first, error);
    }
    if (good)
        time_group(bench, first, end);
    for (size_t i = first; i < end; i++)
        retire(&bench->rows[i].runner);
    for (size_t p = 0; p < NM_PRECISION_COUNT; p++)
        operands_destroy(&operands[p]);
    return good;
}
