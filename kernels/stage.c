/** One copy of the input with its padding filled in and its values in the tier's form. */
#include "stage.h"

#include <string.h>

static int32_t activation_bias(const nm_conv *conv) {
    switch (conv->desc.input_type) {
    case NM_INT8:
        return conv->tier->act_bias_s8;
    case NM_INT4:
        return conv->tier->act_bias_s4;
    case NM_UINT4:
        return 0; /* 0..15 suits every tier as it is */
    default:
        return conv->tier->act_bias_u8;
    }
}

int32_t nm_staged_zero(const nm_conv *conv) {
    return conv->desc.input_zero_point + activation_bias(conv);
}

bool nm_input_is_native(const nm_conv *conv) {
    const nm_dtype type = conv->desc.input_type;
    if (type == NM_FLOAT32)
        return true;
    return !nm_is_packed(type) && conv->tier->act_size == 1 && activation_bias(conv) == 0;
}

/** Fills in what follows from `needed` and `padding`. */
static nm_stage measure(const nm_conv *conv, nm_stage stage) {
    const nm_conv_desc *d = &conv->desc;
    stage.element = d->precision == NM_F32 ? sizeof(float)
                    : stage.needed         ? conv->tier->act_size
                                           : 1;
    stage.height = d->in_height + stage.padding[0] + stage.padding[2];
    stage.width = d->in_width + stage.padding[1] + stage.padding[3];
    if (stage.needed)
        stage.bytes =
            nm_piece(d->batch * stage.height * stage.width * d->in_channels * stage.element +
                     NM_ACTIVATION_SLACK);
    return stage;
}

nm_stage nm_stage_plan(const nm_conv *conv, bool needed, size_t bottom, size_t right) {
    const nm_conv_desc *d = &conv->desc;
    nm_stage stage = {
        .padding = {d->padding[0], d->padding[1], d->padding[2] + bottom, d->padding[3] + right}};
    stage.needed = needed || !nm_input_is_native(conv);
    for (int i = 0; i < 4; ++i)
        stage.needed |= stage.padding[i] > 0;
    return measure(conv, stage);
}

nm_stage nm_stage_unpadded(const nm_conv *conv) {
    return measure(conv, (nm_stage){.needed = !nm_input_is_native(conv)});
}

static void fill(const nm_conv *conv, char *out, size_t count) {
    if (conv->desc.precision == NM_F32)
        memset(out, 0, count * sizeof(float));
    else
        conv->tier->fill(out, count, nm_staged_zero(conv));
}

void nm_stage_run(const nm_conv *conv, const nm_stage *stage, const void *input, size_t first,
                  size_t count, char *out) {
    const bool packed = nm_is_packed(conv->desc.input_type);
    const nm_stage_row row = {.input = (const char *)input + (packed ? 0 : first),
                              .first = packed ? first : 0,
                              .count = count,
                              .type = conv->desc.input_type,
                              .block = stage->block};
    conv->tier->stage(&row, out);
}

void nm_stage_line(const nm_conv *conv, const nm_stage *stage, const void *input, char *out,
                   size_t r) {
    const nm_conv_desc *d = &conv->desc;
    const size_t left = stage->padding[1] * d->in_channels,
                 right = stage->padding[3] * d->in_channels;
    const size_t middle = d->in_width * d->in_channels;
    const size_t n = r / stage->height, h = r % stage->height - stage->padding[0];
    if (h >= d->in_height) {
        fill(conv, out, left + middle + right);
        return;
    }
    const size_t first = (n * d->in_height + h) * middle;
    fill(conv, out, left);
    out += left * stage->element;
    if (nm_input_is_native(conv)) {
        memcpy(out, (const char *)input + first * stage->element, middle * stage->element);
    } else {
        nm_stage_run(conv, stage, input, first, middle, out);
    }
    fill(conv, out + middle * stage->element, right);
}

void nm_stage_rows(const nm_conv *conv, const nm_stage *stage, const void *input, char *staged,
                   size_t begin, size_t end) {
    const size_t row_bytes = stage->width * conv->desc.in_channels * stage->element;
    for (size_t r = begin; r < end; ++r)
        nm_stage_line(conv, stage, input, staged + r * row_bytes, r);
}
