/** Which tiers this build has and this CPU runs. */
#include "tier.h"

#include <threads.h>

#if defined(__x86_64__)
#define NM_X86
#include <cpuid.h>
#elif defined(__aarch64__)
#define NM_AARCH64
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

typedef struct nm_features {
    bool avx2, avxvnni, avx512vnni, gfni, neon, dotprod;
} nm_features;

#if defined(NM_X86)

/** The register state that the operating system saves (XCR0). */
static uint64_t enabled_state(void) {
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static nm_features detect(void) {
    enum { YMM = 0x6, ZMM = 0xE6 };
    nm_features f = {0};
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return f;
    const bool fma = c & bit_FMA;
    const uint64_t state = enabled_state();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return f;
    const unsigned leaves = a;
    const unsigned avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    f.avx2 = (state & YMM) == YMM && fma && (b & bit_AVX2);
    f.avx512vnni = f.avx2 && (state & ZMM) == ZMM && (b & avx512) == avx512 && (c & bit_AVX512VNNI);
    f.gfni = c & bit_GFNI;
    if (leaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
        f.avxvnni = a & (1u << 4);
    return f;
}

/** Whether it is one of AMD's since Zen. */
static bool is_zen(void) {
    enum { ZEN = 0x17, BASE = 8, BASE_MASK = 15, EXTENDED = 20, EXTENDED_MASK = 255 };
    unsigned a, b, c, d;
    if (!__get_cpuid(0, &a, &b, &c, &d) || b != signature_AMD_ebx || c != signature_AMD_ecx ||
        d != signature_AMD_edx || !__get_cpuid(1, &a, &b, &c, &d))
        return false;
    return (a >> BASE & BASE_MASK) + (a >> EXTENDED & EXTENDED_MASK) >= ZEN;
}

#elif defined(NM_AARCH64)

static nm_features detect(void) {
    const unsigned long hwcap = getauxval(AT_HWCAP);
    return (nm_features){.neon = hwcap & HWCAP_ASIMD, .dotprod = hwcap & HWCAP_ASIMDDP};
}

static bool is_zen(void) { return false; }

#else

static nm_features detect(void) { return (nm_features){0}; }

static bool is_zen(void) { return false; }

#endif

/** Fitted to timings of both algorithms: 381 layers on Sapphire Rapids, whose ports take products
 * and all else alike and whose third-level cache is far; 136 layers on Zen 4, which multiplies on
 * two of its four vector pipes and streams weights from a third-level cache as if they were near.
 */
const nm_processor nm_processors[NM_PROCESSOR_COUNT] = {
    [NM_PROCESSOR_OTHER] = {.overhead = 1, .weight = 0.125F, .masks = false},
    [NM_PROCESSOR_ZEN] = {.overhead = 0.5F, .weight = 0, .masks = true},
};

/** Found once: under a hypervisor each CPUID costs tens of microseconds. */
static struct {
    nm_features features;
    const nm_processor *processor;
} found;

static void find(void) {
    found.features = detect();
    found.processor = &nm_processors[is_zen() ? NM_PROCESSOR_ZEN : NM_PROCESSOR_OTHER];
}

static void find_once(void) {
    static once_flag once = ONCE_FLAG_INIT;
    call_once(&once, find);
}

static nm_features features(void) {
    find_once();
    return found.features;
}

const nm_processor *nm_this_processor(void) {
    find_once();
    return found.processor;
}

void nm_plan_as(const nm_processor *processor) {
    find_once();
    found.processor = processor;
}

#define NM_TIER_ROW(isa, table, needs) extern const nm_tier table;
#include "tiers.inc"
#undef NM_TIER_ROW

static const nm_tier *last_row(nm_isa isa, bool int4, bool wide) {
    const nm_features f = features();
    const nm_processor *p = nm_this_processor();
    (void)f, (void)p, (void)int4, (void)wide;
    const nm_tier *tier = NULL;
#define NM_TIER_ROW(row, table, needs)                                                             \
    if ((isa == row || isa == NM_ISA_AUTO) && (needs))                                             \
        tier = &table;
#include "tiers.inc"
#undef NM_TIER_ROW
    return tier;
}

const nm_tier *nm_tier_for(nm_isa isa, nm_precision precision) {
    return last_row(isa, precision == NM_W4A8 || precision == NM_W4A4, false);
}

const nm_tier *nm_wide_tier(nm_isa isa) { return last_row(isa, false, true); }

bool nm_isa_available(nm_isa isa) {
    return isa == NM_ISA_SCALAR || isa == NM_ISA_AUTO || nm_tier_for(isa, NM_F32);
}

nm_isa nm_isa_best(void) {
    const nm_tier *tier = nm_tier_for(NM_ISA_AUTO, NM_F32);
    return tier ? tier->isa : NM_ISA_SCALAR;
}

bool nm_isa_emulated(nm_isa isa) {
    const nm_tier *tier = nm_tier_for(isa, NM_F32);
    return tier && tier->emulated;
}

uint64_t nm_peak_run(nm_isa isa, nm_precision precision, uint64_t iterations) {
    const nm_tier *tier = nm_tier_for(isa, precision);
    if (!tier)
        return 0;
    return precision == NM_F32 ? tier->peak_f32(iterations) : tier->peak_int(iterations);
}
