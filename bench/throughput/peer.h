/** Other libraries, timed beside ours on the same layers. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include "base/names.h"
#include "throughput/operands.h"
#include "throughput/runner.h"

struct peer {
    const char *name;
    const char *package; /**< Debian's, that builds it in */
    /** NULL where not built in; else writes the version and what limits it. */
    void (*version)(char *text, size_t size);
    bool (*supports)(nm_precision precision);
    /** Largest difference from our integer outputs that its rounding explains. */
    int slack;
    /**
     * Plans the layer in the layouts that it likes; packing and reordering happen here and in
     * fetch, outside the timed run. copies_bytes is as in plan.h. The operands must outlive it.
     */
    bool (*create)(const struct operands *operands, unsigned threads, size_t copies_bytes,
                   struct runner *runner, struct error *error);
};

extern const struct peer peer_onednn, peer_xnnpack;

/** Every peer, built in or not; the list ends with NULL. */
extern const struct peer *const peers[];
names peer_names(void);

#endif
