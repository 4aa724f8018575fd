/**
 * Each tier's expansion of packed int4 weights undoes nm_compress_int4(), the tables that this CPU
 * passes over for int4 included, and those that other processors take.
 */
#include "conv.h"
#include "rng.h"
#include "tap.h"

#include <stdio.h>
#include <string.h>

enum { BLOCKS = 5, MOST = 2 * BLOCKS * 64 };

static bool expands(const nm_tier *tier) {
    rng r = rng_named(1, nm_isa_name(tier->isa));
    int8_t values[MOST], packed[MOST / 2];
    int8_t bytes[MOST] __attribute__((aligned(64)));
    int16_t words[MOST] __attribute__((aligned(64)));
    const size_t count = 2 * BLOCKS * tier->expand_block;
    for (size_t i = 0; i < count; ++i)
        values[i] = (int8_t)rng_between(&r, -8, 7);
    nm_compress_int4(values, count, tier->expand_block, packed);
    tier->expand(packed, true, count, tier->wt_size == 1 ? (void *)bytes : words);
    for (size_t i = 0; i < count; ++i)
        if ((tier->wt_size == 1 ? bytes[i] : words[i]) != values[i])
            return false;
    return true;
}

int main(void) {
    static const nm_precision precisions[] = {NM_W8A8, NM_W4A8};
    for (int isa = NM_ISA_AVX2; isa < NM_ISA_COUNT; ++isa)
        for (size_t i = 0; i < sizeof precisions / sizeof *precisions; ++i)
            for (int processor = 0; processor < NM_PROCESSOR_COUNT; ++processor) {
                nm_plan_as(&nm_processors[processor]);
                const nm_tier *tier = nm_tier_for((nm_isa)isa, precisions[i]);
                char name[64];
                snprintf(name, sizeof name, "%s's table for %s, processor %d",
                         nm_isa_name((nm_isa)isa), nm_precision_name(precisions[i]), processor);
                if (tier)
                    tap_ok(expands(tier), "%s", name);
                else
                    tap_skip("not on this CPU or not in this build", "%s", name);
            }
    return tap_done();
}
