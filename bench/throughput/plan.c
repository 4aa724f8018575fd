#include "throughput/plan.h"
#include "base/memory.h"
#include "base/output.h"
#include "base/tensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** The first plan also pays for the first touch of its pages: the quickest of these counts. */
enum { MIN_PLANS = 3 };

struct plan {
    nm_conv **copies;
    size_t count, next;
    const void *input;
    void *output, *workspace;
    size_t output_bytes;
    unsigned threads;
};

static void run(void *state) {
    struct plan *plan = state;
    nm_conv_run(plan->copies[plan->next], plan->input, plan->output, plan->workspace,
                plan->threads);
    plan->next = plan->next + 1 < plan->count ? plan->next + 1 : 0;
}

static void fetch(void *state, void *output) {
    const struct plan *plan = state;
    memcpy(output, plan->output, plan->output_bytes);
}

static void destroy(void *state) {
    struct plan *plan = state;
    for (size_t i = 0; i < plan->count; i++)
        nm_conv_destroy(plan->copies[i]);
    free(plan->copies);
    free(plan->output);
    free(plan->workspace);
    free(plan);
}

static bool add_copy(struct plan *plan, const nm_conv_desc *desc, const struct operands *operands,
                     struct runner *runner, nm_status *status, struct error *error) {
    nm_error reason;
    plan->copies = need_more(plan->copies, plan->count + 1, sizeof(nm_conv *));
    const double start = monotonic_seconds();
    *status = nm_conv_create(desc, operands->weights, operands->bias, &plan->copies[plan->count],
                             &reason);
    const double seconds = monotonic_seconds() - start;
    if (*status != NM_OK)
        return fail(error, "%s", reason.message);
    if (plan->count++ == 0 || seconds < runner->plan_seconds)
        runner->plan_seconds = seconds;
    return true;
}

/** Untimed copies up to wanted, by all threads: packing is most of a cold suite's time. */
static bool add_copies(struct plan *plan, const nm_conv_desc *desc, const struct operands *operands,
                       size_t wanted, nm_status *status, struct error *error) {
    const size_t first = plan->count;
    nm_status worst = NM_OK;
    plan->copies = need_more(plan->copies, wanted, sizeof(nm_conv *));
    plan->count = wanted;
#pragma omp parallel for reduction(max : worst)
    for (size_t i = first; i < wanted; i++) {
        const nm_status found =
            nm_conv_create(desc, operands->weights, operands->bias, &plan->copies[i], NULL);
        worst = found > worst ? found : worst;
    }
    *status = worst;
    return worst == NM_OK || fail_memory(error, "copies of the plan");
}

static bool fill(struct plan *plan, const nm_conv_desc *desc, const struct operands *operands,
                 size_t copies_bytes, struct runner *runner, nm_status *status,
                 struct error *error) {
    for (size_t i = 0; i < MIN_PLANS; i++) {
        if (!add_copy(plan, desc, operands, runner, status, error))
            return false;
    }
    const nm_conv_info info = nm_conv_get_info(plan->copies[0]);
    const size_t wanted = runner_copies(info.weight_bytes, copies_bytes);
    while (plan->count > wanted)
        nm_conv_destroy(plan->copies[--plan->count]);
    if (plan->count < wanted && !add_copies(plan, desc, operands, wanted, status, error))
        return false;
    *status = NM_OUT_OF_MEMORY;
    runner->workspace_bytes = nm_conv_workspace_size(plan->copies[0], plan->threads);
    plan->workspace = aligned_bytes(runner->workspace_bytes);
    plan->output = aligned_bytes(plan->output_bytes);
    if (!plan->workspace || !plan->output)
        return fail_memory(error, "workspace and output");
    runner->weight_bytes = info.weight_bytes;
    runner->copies = plan->count;
    runner->cycled_bytes = plan->count * info.weight_bytes;
    runner->macs = info.macs;
    snprintf(runner->kernel, sizeof runner->kernel, "%s", info.kernel);
    return true;
}

bool plan_create(const struct operands *operands, nm_isa isa, nm_algorithm algorithm,
                 unsigned threads, size_t copies_bytes, struct runner *runner, nm_status *status,
                 struct error *error) {
    nm_conv_desc desc = operands->desc;
    desc.isa = isa;
    desc.algorithm = algorithm;
    struct plan *plan = need(1, sizeof *plan);
    plan->input = operands->input;
    plan->output_bytes = operands->output_bytes;
    plan->threads = threads;
    *runner = (struct runner){.state = plan,
                              .run = run,
                              .fetch = fetch,
                              .rest = threads > 1 ? runner_rest_openmp : NULL,
                              .destroy = destroy};
    if (fill(plan, &desc, operands, copies_bytes, runner, status, error))
        return true;
    runner_destroy(runner);
    return false;
}
