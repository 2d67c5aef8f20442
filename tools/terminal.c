#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool cli_colour(FILE *out)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(out)) && !(no && *no) &&
           !(term && strcmp(term, "dumb") == 0);
}

/* Text of others must not steer the terminal: control characters are shown. */
static void put_shown(FILE *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
            fprintf(out, "^%c", c ^ 0x40);
        else
            fputc(c, out);
    }
}

/* The next position from i on where a UTF-8 character begins. */
static size_t character_start(const char *text, size_t n, size_t i)
{
    while (i < n && ((unsigned char)text[i] & 0xc0) == 0x80)
        i++;
    return i;
}

/* Three shades each way of the 256-colour cube, under black text. */
static int shade(float reward)
{
    static const int green[] = {194, 157, 120}, red[] = {224, 217, 210};
    float size = fminf(fabsf(reward), 1.0f);
    int step = size > 2.0f / 3 ? 2 : size > 1.0f / 3 ? 1 : 0;
    return reward > 0 ? green[step] : red[step];
}

static void put_rewarded(FILE *out, const char *text, size_t n, float reward)
{
    bool plain = reward == 0 || isnan(reward) || n == 0;
    if (!plain)
        fprintf(out, "\033[30;48;5;%dm", shade(reward));
    put_shown(out, text, n);
    if (!plain)
        fputs("\033[0m", out);
}

void cli_rewarded_text(FILE *out, const char *text, size_t n,
                       const size_t *offset, const float *reward,
                       size_t tokens)
{
    size_t at = 0;
    if (!cli_colour(out))
        tokens = 0;
    for (size_t t = 0; t < tokens; t++) {
        size_t start = character_start(text, n, offset[2 * t]);
        size_t end = character_start(text, n, offset[2 * t + 1]);
        if (start < at)
            start = at;
        if (end <= start || end > n)
            continue;
        put_rewarded(out, text + at, start - at, 0);
        put_rewarded(out, text + start, end - start, reward[t]);
        at = end;
    }
    put_rewarded(out, text + at, n - at, 0);
}
