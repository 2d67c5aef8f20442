/* t2g: the command table. */
#include <string.h>

#include "cli.h"
#include "libraries.h"

#define COMMANDS(X)                                                            \
    X(train_tokenizer) X(tokenize) X(init) X(sft) X(annotate) X(train_rm)      \
    X(critique) X(align) X(train) X(generate) X(eval) X(report) X(verify)      \
    X(digest) X(bench) X(info) X(demo)

#define DECLARE(name) extern const command command_##name;
#define ENTRY(name) &command_##name,
COMMANDS(DECLARE)
static const command *const commands[] = {COMMANDS(ENTRY)};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static const command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (cli_same_name(name, commands[i]->name))
            return commands[i];
    return NULL;
}

static void print_commands(FILE *out)
{
    fprintf(out, "t2g %s: Text2Grad, reinforcement learning from feedback in "
            "words, on CPUs\n\nusage: t2g COMMAND [options]\n\ncommands:\n",
            T2G_VERSION);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-16s %s\n", commands[i]->name, commands[i]->purpose);
    fputs("\nt2g COMMAND --help explains one; t2g --version says what this "
          "build is.\nFirst thing to try: t2g demo --output-dir demo\n", out);
}

static int unknown_command(const char *name)
{
    const char *names[COMMAND_COUNT + 1] = {NULL};
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i]->name;
    const char *hint = cli_nearest(name, names);
    if (hint)
        fprintf(stderr, "t2g: unknown command '%s', did you mean '%s'?\n", name,
                hint);
    else
        fprintf(stderr, "t2g: unknown command '%s'; t2g --help lists them\n",
                name);
    return EXIT_USAGE;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_commands(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_commands(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        libraries_print(stdout);
        return EXIT_DONE;
    }
    const command *c = find(argv[1]);
    return c ? c->run(c, argc - 1, argv + 1) : unknown_command(argv[1]);
}

/* Results go to stdout: a full disk there is a failure. */
int main(int argc, char **argv)
{
    int status = run(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "t2g: stdout: the results could not be written\n");
        if (status == EXIT_DONE)
            status = EXIT_FAILED;
    }
    return status;
}
