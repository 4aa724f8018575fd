#include "throughput/peer.h"

#include <stddef.h>

const struct peer *const peers[] = {&peer_onednn, &peer_xnnpack, NULL};

names peer_names(void) {
    static const char *list[sizeof peers / sizeof *peers];
    for (size_t i = 0; peers[i]; i++)
        list[i] = peers[i]->name;
    return list;
}

#ifndef HAVE_ONEDNN
const struct peer peer_onednn = {.name = "onednn", .package = "libdnnl-dev"};
#endif
#ifndef HAVE_XNNPACK
const struct peer peer_xnnpack = {.name = "xnnpack", .package = "libxnnpack-dev"};
#endif
