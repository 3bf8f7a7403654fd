/* Foreground intervals of run-length encoded masks, and what two sequences of them share.
 *
 * Plain functions on plain memory for ctypes, which lets go of the interpreter lock meanwhile.
 * Python's view of them is in intervals.py.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* What is wrong with an encoding; intervals.py has the same numbers. */
enum { NOT_COMPRESSED = 1, CUT_OFF = 2, NEGATIVE_RUN = 3, WRONG_TOTAL = 4 };

/* A character holds 5 bits of a number and, in bit 6, whether the number goes on; bit 5 of its last
 * character is the sign. Seven characters hold more than any frame has pixels. */
enum { OFFSET = 48, PAYLOAD = 31, CONTINUES = 32, SIGN = 16, MAX_CHARACTERS = 7, END = '\n' };

/* Decode one encoding up to its END.
 *
 * Writes begin and end of each foreground interval, none of them empty and no two adjacent, and
 * moves *text behind END. Returns 0 or what is wrong.
 */
static int decode_frame(const unsigned char **text, int64_t num_pixels, uint32_t *intervals,
                        int64_t *num_intervals, int64_t *total)
{
    const unsigned char *c = *text;
    int64_t before_last = 0, last = 0, position = 0, count = 0, index = 0;

    for (; *c != END; index++) {
        int64_t run = 0;
        int shift = 0, code;
        do {
            if (*c == END)
                return CUT_OFF;
            code = *c++ - OFFSET;
            if (code < 0 || code >= 2 * CONTINUES || shift >= 5 * MAX_CHARACTERS)
                return NOT_COMPRESSED;
            run |= (int64_t)(code & PAYLOAD) << shift;
            shift += 5;
        } while (code & CONTINUES);
        if (code & SIGN)
            run -= (int64_t)1 << shift;
        if (index > 2)
            run += before_last;
        if (run < 0)
            return NEGATIVE_RUN;
        before_last = last;
        last = run;
        if (index % 2 && run > 0) {
            if (count && intervals[2 * count - 1] == position) {
                intervals[2 * count - 1] = (uint32_t)(position + run);
            } else {
                intervals[2 * count] = (uint32_t)position;
                intervals[2 * count + 1] = (uint32_t)(position + run);
                count++;
            }
        }
        position += run;
        if (position > num_pixels)
            break;
    }
    *total = position;
    if (position != num_pixels)
        return WRONG_TOTAL;
    *num_intervals = count;
    *text = c + 1;
    return 0;
}

/* Decode the frames of a sequence; a frame without a character has no foreground.
 *
 * text: num_frames encodings, each followed by END.
 * intervals: room for half as many pairs as text has characters.
 * first: (num_frames + 1) index of each frame's first pair, then their number.
 * areas: (num_frames) pixels.
 * broken: frame that is not valid and, for WRONG_TOTAL, its pixels.
 * Returns 0 or what is wrong.
 */
EXPORT int decode_intervals(const unsigned char *text, int64_t num_frames, int64_t num_pixels,
                            uint32_t *intervals, int64_t *first, int64_t *areas, int64_t *broken)
{
    int64_t used = 0;
    for (int64_t frame = 0; frame < num_frames; frame++) {
        int64_t count = 0, area = 0;
        uint32_t *pairs = intervals + 2 * used;
        first[frame] = used;
        if (*text == END) {
            text++;
        } else {
            int problem = decode_frame(&text, num_pixels, pairs, &count, &broken[1]);
            if (problem) {
                broken[0] = frame;
                return problem;
            }
        }
        for (int64_t i = 0; i < count; i++)
            area += pairs[2 * i + 1] - pairs[2 * i];
        areas[frame] = area;
        used += count;
    }
    first[num_frames] = used;
    return 0;
}

static int64_t intersect(const uint32_t *a, int64_t num_a, const uint32_t *b, int64_t num_b)
{
    const uint32_t *end_a = a + 2 * num_a, *end_b = b + 2 * num_b;
    int64_t shared = 0;
    while (a < end_a && b < end_b) {
        uint32_t begin = a[0] > b[0] ? a[0] : b[0];
        uint32_t end = a[1] < b[1] ? a[1] : b[1];
        /* No branch on the data: which of the two ends first cannot be predicted. */
        int step_a = a[1] <= b[1], step_b = b[1] <= a[1];
        shared += end > begin ? end - begin : 0;
        a += 2 * step_a;
        b += 2 * step_b;
    }
    return shared;
}

/* Pixels that two sequences share in each frame. */
EXPORT void intersect_intervals(const uint32_t *a, const int64_t *first_a, const uint32_t *b,
                                const int64_t *first_b, int64_t num_frames, int64_t *shared)
{
    for (int64_t t = 0; t < num_frames; t++)
        shared[t] = intersect(a + 2 * first_a[t], first_a[t + 1] - first_a[t],
                              b + 2 * first_b[t], first_b[t + 1] - first_b[t]);
}

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_intervals", NULL, -1, NULL};

PyMODINIT_FUNC PyInit__intervals(void)
{
    return PyModule_Create(&module);
}
