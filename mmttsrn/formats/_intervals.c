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

/* Read one number and move *text behind it. Returns 0 or what is wrong. */
static inline int read_number(const unsigned char **text, int64_t *number)
{
    const unsigned char *c = *text;
    int code = *c - OFFSET, shift = 0;
    int64_t bits = 0;

    while (code >= CONTINUES) {
        if (code >= 2 * CONTINUES || shift >= 5 * (MAX_CHARACTERS - 1))
            return NOT_COMPRESSED;
        bits |= (int64_t)(code & PAYLOAD) << shift;
        shift += 5;
        code = *++c - OFFSET;
    }
    if (code < 0)
        return *c == END ? CUT_OFF : NOT_COMPRESSED;
    *number = bits + (int64_t)((code ^ SIGN) - SIGN) * ((int64_t)1 << shift);
    *text = c + 1;
    return 0;
}

/* Decode one encoding up to its END.
 *
 * Writes begin and end of each foreground interval, none of them empty and no two adjacent, and
 * moves *text behind END. Returns 0 or what is wrong.
 */
static int decode_frame(const unsigned char **text, int64_t num_pixels, uint32_t *intervals,
                        int64_t *num_intervals, int64_t *total)
{
    const unsigned char *c = *text;
    int64_t background = 0, foreground = 0, position = 0, number = 0;
    uint32_t *next = intervals;
    int problem;

    /* From the fourth number on, a number is the difference to the one before the previous one. */
    for (int64_t pair = 0; *c != END; pair++) {
        if ((problem = read_number(&c, &number)))
            return problem;
        background = pair >= 2 ? background + number : number;
        if (background < 0)
            return NEGATIVE_RUN;
        position += background;
        if (*c == END || position > num_pixels)
            break;
        if ((problem = read_number(&c, &number)))
            return problem;
        foreground = pair >= 1 ? foreground + number : number;
        if (foreground < 0)
            return NEGATIVE_RUN;
        if (foreground > 0) {
            if (next > intervals && next[-1] == position) /* goes on after an empty run */
                next -= 2;
            else
                next[0] = (uint32_t)position;
            next[1] = (uint32_t)(position + foreground);
            next += 2;
        }
        position += foreground;
        if (position > num_pixels)
            break;
    }
    *total = position;
    if (position != num_pixels)
        return WRONG_TOTAL;
    *num_intervals = (next - intervals) / 2;
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

enum { LANES = 2 };

/* A walk through two sorted lists of intervals, always past the one that ends first. Written without
 * a branch on the data, since which one that is cannot be predicted. */
typedef struct {
    const uint32_t *a, *end_a, *b, *end_b;
} Walk;

static Walk start_walk(const uint32_t *intervals, const int64_t *first, int64_t i, int64_t j)
{
    Walk walk = {intervals + 2 * first[i], intervals + 2 * first[i + 1],
                 intervals + 2 * first[j], intervals + 2 * first[j + 1]};
    return walk;
}

static inline int can_go_on(const Walk *walk)
{
    return walk->a < walk->end_a && walk->b < walk->end_b;
}

static inline int64_t step(Walk *walk)
{
    const uint32_t *a = walk->a, *b = walk->b;
    uint32_t begin = a[0] > b[0] ? a[0] : b[0];
    uint32_t end = a[1] < b[1] ? a[1] : b[1];
    walk->a += 2 * (a[1] <= b[1]);
    walk->b += 2 * (b[1] <= a[1]);
    return end > begin ? end - begin : 0;
}

static int64_t finish(Walk *walk)
{
    int64_t sum = 0;
    while (can_go_on(walk))
        sum += step(walk);
    return sum;
}

/* Pixels that sequences share in each frame.
 *
 * intervals, first: as decode_intervals writes them for sequences of num_frames each.
 * pairs: (num_pairs, 2) sequences to compare.
 * shared: (num_pairs, num_frames) pixels.
 */
EXPORT void intersect_pairs(const uint32_t *intervals, const int64_t *first, int64_t num_frames,
                            const int64_t *pairs, int64_t num_pairs, int64_t *shared)
{
    for (int64_t p = 0; p < num_pairs; p++) {
        int64_t i = pairs[2 * p] * num_frames, j = pairs[2 * p + 1] * num_frames, t = 0;
        int64_t *out = shared + p * num_frames;
        /* Several frames at a time: a step waits for the one before it, but not for other frames. */
        for (; t + LANES <= num_frames; t += LANES) {
            Walk walks[LANES];
            int64_t sums[LANES] = {0};
            for (int lane = 0; lane < LANES; lane++)
                walks[lane] = start_walk(intervals, first, i + t + lane, j + t + lane);
            for (;;) {
                int go_on = 1;
                for (int lane = 0; lane < LANES; lane++)
                    go_on &= can_go_on(&walks[lane]);
                if (!go_on)
                    break;
                for (int lane = 0; lane < LANES; lane++)
                    sums[lane] += step(&walks[lane]);
            }
            for (int lane = 0; lane < LANES; lane++)
                out[t + lane] = sums[lane] + finish(&walks[lane]);
        }
        for (; t < num_frames; t++) {
            Walk walk = start_walk(intervals, first, i + t, j + t);
            out[t] = finish(&walk);
        }
    }
}

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_intervals", NULL, -1, NULL};

PyMODINIT_FUNC PyInit__intervals(void)
{
    return PyModule_Create(&module);
}
