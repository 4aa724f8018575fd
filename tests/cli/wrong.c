/** A library whose SIMD kernels are wrong by one bit: linked in place of nm_conv_run(), to see that
 *  the program finds out. */
#include <narrowmac.h>

/* The names are the linker's, for --wrap=nm_conv_run.
 * NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void __real_nm_conv_run(const nm_conv *conv, const void *input, void *output, void *workspace,
                        unsigned threads);
void __wrap_nm_conv_run(const nm_conv *conv, const void *input, void *output, void *workspace,
                        unsigned threads);

void __wrap_nm_conv_run(const nm_conv *conv, const void *input, void *output, void *workspace,
                        unsigned threads) {
    __real_nm_conv_run(conv, input, output, workspace, threads);
    if (nm_conv_get_info(conv).isa != NM_ISA_SCALAR)
        ((unsigned char *)output)[0] ^= 1;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
