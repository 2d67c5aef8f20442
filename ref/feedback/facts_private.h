/* Words and sentences of the built-in task, shared by generator and critic. */
#ifndef T2G_FACTS_PRIVATE_H
#define T2G_FACTS_PRIVATE_H

#include "t2g/facts.h"

/* A sentence about a fact. "%X" stands for the present value of the fact with
 * that letter, "%x" for an outdated one; the letters follow T2G_FACT_*. */
typedef struct t2g_sentence {
    size_t fact;
    bool outdated; /* tells an old value too */
    const char *text;
} t2g_sentence;

extern const t2g_sentence t2g_sentences[];
extern const size_t t2g_sentence_count;
extern const char t2g_fact_letter[T2G_FACTS + 1];
extern const char *const t2g_greetings[], *const t2g_farewells[];
enum { T2G_GREETINGS = 5, T2G_FAREWELLS = 5 };

#endif
