/* Recognising files of tiktoken ranks. */
#ifndef T2G_TIKTOKEN_H
#define T2G_TIKTOKEN_H

#include <stdbool.h>
#include <stddef.h>

/* NAME.tiktoken or NAME.tiktoken.gz. */
bool t2g_tiktoken_named(const char *path);
enum { T2G_TIKTOKEN_HEAD = 256 };
/* The first n <= T2G_TIKTOKEN_HEAD bytes of a file begin with a line of
 * ranks. */
bool t2g_tiktoken_begins(const char *head, size_t n);

#endif
