/* Recognising files of tiktoken ranks. */
#ifndef T2G_TIKTOKEN_H
#define T2G_TIKTOKEN_H

#include <stdbool.h>
#include <stddef.h>

/* NAME.tiktoken or NAME.tiktoken.gz. */
bool t2g_tiktoken_named(const char *path);
/* The first n bytes of a file hold a first line of a rank file. */
bool t2g_tiktoken_begins(const char *head, size_t n);

#endif
