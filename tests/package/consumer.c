/** A program outside of the build that finds the installed library through pkg-config. */
#include <narrowmac.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    static const int8_t weights[] = {1, 2, 3, 4}, input[] = {10, 20, 30, 40};
    nm_conv_desc desc;
    nm_conv_desc_init(&desc);
    desc.precision = NM_W8A8;
    desc.in_height = desc.in_width = desc.kernel_height = desc.kernel_width = 2;
    desc.in_channels = desc.out_channels = 1;
    desc.input_type = NM_INT8;
    desc.output_type = NM_INT32;
    nm_conv *conv;
    nm_error error;
    if (nm_conv_create(&desc, weights, NULL, &conv, &error) != NM_OK) {
        fprintf(stderr, "%s\n", error.message);
        return EXIT_FAILURE;
    }
    void *workspace = aligned_alloc(64, nm_conv_workspace_size(conv, 2) / 64 * 64 + 64);
    int32_t output = 0;
    nm_conv_run(conv, input, &output, workspace, 2);
    nm_conv_destroy(conv);
    free(workspace);
    printf("%d\n", output);
    return output == 300 ? EXIT_SUCCESS : EXIT_FAILURE;
}
