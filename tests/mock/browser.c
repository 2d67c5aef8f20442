/* Drives a Chromium by its debugging pipe, with events as a person makes them.
 *
 *   browser PROGRAM PROFILE_DIR < SCRIPT
 *
 * A line of the script is one of
 *   open URL
 *   size WIDTH HEIGHT light|dark
 *   key NAME [shift|alt|ctrl ...]
 *   type TEXT                    into what has the focus
 *   click EXPRESSION             JavaScript that gives "X Y"
 *   drag EXPRESSION              "X1 Y1 X2 Y2"
 *   run EXPRESSION
 *   check EXPRESSION             is to become true within ten seconds
 *   picture FILE                 PNG of what is seen
 * Exit status: 0 all checks are true, 1 one is not, which ends it, 77 no
 * browser answers. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST = 1 << 24, LINE = 1 << 16 };
static const int PATIENCE = 20000; /* milliseconds, for a browser's answer */

static int to_browser, from_browser, last_id;
static pid_t browser;
static char *reply, session[128];
static size_t held, taken; /* bytes in reply; of them, of the message before */

static void leave(int status)
{
    kill(-browser, SIGKILL);
    waitpid(browser, NULL, 0);
    exit(status);
}

/* The browser's ends are 3 and 4: none of ours may be there. */
static int above(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    close(fd);
    return copy;
}

static void start(char *program, const char *profile)
{
    int in[2], out[2];
    char folder[4096];
    snprintf(folder, sizeof folder, "--user-data-dir=%s", profile);
    char *argv[] = {program, "--headless=new", "--no-sandbox", "--disable-gpu",
                    "--no-first-run", "--disable-dev-shm-usage",
                    "--remote-debugging-pipe", folder, "about:blank", NULL};
    if (pipe(in) != 0 || pipe(out) != 0)
        exit(77);
    to_browser = above(in[1]);
    from_browser = above(out[0]);
    in[0] = above(in[0]);
    out[1] = above(out[1]);
    browser = fork();
    if (browser != 0)
        return;
    setpgid(0, 0);
    dup2(in[0], 3);
    dup2(out[1], 4);
    dup2(open("/dev/null", O_WRONLY), 2);
    execvp(program, argv);
    _exit(127);
}

/* The next message, NUL-terminated at reply; false: none in time. */
static bool next_message(void)
{
    memmove(reply, reply + taken, held - taken);
    held -= taken;
    taken = 0;
    for (;;) {
        char *end = memchr(reply, '\0', held);
        struct pollfd f = {from_browser, POLLIN, 0};
        if (end) {
            taken = (size_t)(end - reply) + 1;
            return true;
        }
        if (held == LARGEST || poll(&f, 1, PATIENCE) <= 0)
            return false;
        ssize_t n = read(from_browser, reply + held, LARGEST - held);
        if (n <= 0)
            return false;
        held += (size_t)n;
    }
}

/* Sends a command and waits for its reply. */
static void ask(const char *method, const char *parameters)
{
    static char message[4 * LINE];
    char id[32];
    int n = snprintf(message, sizeof message, "{\"id\":%d,\"method\":\"%s\","
                     "\"params\":{%s}%s%s%s}", ++last_id, method, parameters,
                     *session ? ",\"sessionId\":\"" : "", session,
                     *session ? "\"" : "");
    snprintf(id, sizeof id, "{\"id\":%d,", last_id);
    if (write(to_browser, message, (size_t)n + 1) != n + 1)
        leave(77);
    do
        if (!next_message())
            leave(77);
    while (strncmp(reply, id, strlen(id)) != 0);
}

/* The string member of the latest reply, as it stands; "" if there is none. */
static const char *member(const char *name, char *out, size_t room)
{
    char key[64];
    size_t n = 0;
    snprintf(key, sizeof key, "\"%s\":\"", name);
    const char *s = strstr(reply, key);
    for (s = s ? s + strlen(key) : ""; *s && *s != '"' && n + 2 < room; s++) {
        if (*s == '\\')
            out[n++] = *s++;
        out[n++] = *s;
    }
    out[n] = '\0';
    return out;
}

static void quote(char *out, size_t room, const char *s)
{
    size_t n = 0;
    for (; *s && n + 2 < room; s++) {
        if (*s == '"' || *s == '\\')
            out[n++] = '\\';
        out[n++] = *s;
    }
    out[n] = '\0';
}

static const char *run(const char *expression)
{
    static char quoted[2 * LINE], parameters[3 * LINE], value[LINE];
    quote(quoted, sizeof quoted, expression);
    snprintf(parameters, sizeof parameters, "\"expression\":\"(async () => "
             "String(%s))()\",\"awaitPromise\":true,\"returnByValue\":true,"
             "\"userGesture\":true", quoted);
    ask("Runtime.evaluate", parameters);
    if (strstr(reply, "\"exceptionDetails\""))
        return member("description", value, sizeof value);
    return member("value", value, sizeof value);
}

static void key(char *line)
{
    char parameters[512];
    int modifiers = 0;
    char *name = strtok(line, " "), *m;
    while ((m = strtok(NULL, " ")))
        modifiers |= !strcmp(m, "shift") ? 8 : !strcmp(m, "alt") ? 1 : 2;
    for (int up = 0; up < 2; up++) {
        snprintf(parameters, sizeof parameters, "\"type\":\"%s\",\"key\":\"%s\""
                 ",\"modifiers\":%d", up ? "keyUp" : "rawKeyDown", name,
                 modifiers);
        ask("Input.dispatchKeyEvent", parameters);
    }
}

static void mouse(const char *type, double x, double y)
{
    char parameters[256];
    snprintf(parameters, sizeof parameters, "\"type\":\"%s\",\"x\":%g,\"y\":%g,"
             "\"button\":\"left\",\"buttons\":1,\"clickCount\":1", type, x, y);
    ask("Input.dispatchMouseEvent", parameters);
}

static bool press_and_pull(const char *expression, int numbers)
{
    double x, y, x2, y2;
    const char *where = run(expression);
    int n = sscanf(where, "%lf %lf %lf %lf", &x, &y, &x2, &y2);
    if (n != numbers) {
        printf("no place: %s: %s\n", expression, where);
        return false;
    }
    mouse("mousePressed", x, y);
    if (numbers == 4) {
        mouse("mouseMoved", (x + x2) / 2, (y + y2) / 2);
        mouse("mouseMoved", x2, y2);
    }
    mouse("mouseReleased", numbers == 4 ? x2 : x, numbers == 4 ? y2 : y);
    return true;
}

static void resize(const char *line)
{
    char parameters[256], look[16] = "";
    int width = 0, height = 0;
    sscanf(line, "%d %d %15s", &width, &height, look);
    snprintf(parameters, sizeof parameters, "\"width\":%d,\"height\":%d,"
             "\"deviceScaleFactor\":1,\"mobile\":%s", width, height,
             width < 500 ? "true" : "false");
    ask("Emulation.setDeviceMetricsOverride", parameters);
    snprintf(parameters, sizeof parameters, "\"features\":[{\"name\":"
             "\"prefers-color-scheme\",\"value\":\"%s\"}]", look);
    ask("Emulation.setEmulatedMedia", parameters);
}

static void take_picture(const char *file)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                                 "stuvwxyz0123456789+/";
    ask("Page.captureScreenshot", "\"format\":\"png\"");
    const char *s = strstr(reply, "\"data\":\""), *digit;
    FILE *f = fopen(file, "wb");
    unsigned bits = 0, count = 0;
    for (s = s ? s + 8 : ""; f && *s && (digit = strchr(digits, *s)); s++) {
        bits = bits << 6 | (unsigned)(digit - digits);
        count += 6;
        if (count >= 8)
            fputc((int)(bits >> (count -= 8) & 0xff), f);
    }
    if (f)
        fclose(f);
}

static bool check(const char *expression)
{
    const struct timespec pause = {0, 50000000};
    const char *value = "";
    for (int i = 0; i < 200; i++) {
        if (strcmp(value = run(expression), "true") == 0)
            return true;
        nanosleep(&pause, NULL);
    }
    printf("not true: %s: %s\n", expression, value);
    return false;
}

static void open_page(const char *address)
{
    char parameters[LINE + 64];
    snprintf(parameters, sizeof parameters, "\"url\":\"%s\"", address);
    ask("Page.navigate", parameters);
}

static void type_text(const char *text)
{
    char parameters[2 * LINE + 64], quoted[2 * LINE];
    quote(quoted, sizeof quoted, text);
    snprintf(parameters, sizeof parameters, "\"text\":\"%s\"", quoted);
    ask("Input.insertText", parameters);
}

static bool follow(char *line)
{
    char *rest = line + strcspn(line, " ");
    if (*rest)
        *rest++ = '\0';
    if (!strcmp(line, "open"))
        open_page(rest);
    else if (!strcmp(line, "size"))
        resize(rest);
    else if (!strcmp(line, "key"))
        key(rest);
    else if (!strcmp(line, "type"))
        type_text(rest);
    else if (!strcmp(line, "picture"))
        take_picture(rest);
    else if (!strcmp(line, "run"))
        run(rest);
    else if (!strcmp(line, "check"))
        return check(rest);
    else
        return press_and_pull(rest, !strcmp(line, "drag") ? 4 : 2);
    return true;
}

/* A page of our own, which all later commands are about. */
static void attach(void)
{
    char target[128], parameters[256];
    ask("Target.createTarget", "\"url\":\"about:blank\"");
    member("targetId", target, sizeof target);
    snprintf(parameters, sizeof parameters, "\"targetId\":\"%s\","
             "\"flatten\":true", target);
    ask("Target.attachToTarget", parameters);
    member("sessionId", session, sizeof session);
    ask("Page.enable", "");
}

int main(int argc, char **argv)
{
    static char line[LINE];
    bool ok = true;
    reply = malloc(LARGEST);
    if (argc != 3 || !reply)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    start(argv[1], argv[2]);
    attach();
    while (ok && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (*line && *line != '#')
            ok = follow(line);
    }
    leave(ok ? 0 : 1);
}
