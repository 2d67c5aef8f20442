/* Templates by name: the shortest Jinja that gives, for system, user and
 * assistant turns, the text of the models' own templates. Those in which a
 * later turn changes the text of an earlier one, or the end of the messages has
 * text of its own, mark what the model writes. */
#include <string.h>

#include "t2g/chat.h"

#define PROMPT(text)                                                           \
    "{% if add_generation_prompt %}{{ '" text "' }}{% endif %}"

/* [system] user assistant user assistant ..., or an error. */
#define ALTERNATING                                                            \
    "{% if messages[0].role == 'system' %}"                                    \
    "{% set system = messages[0].content %}{% set turns = messages[1:] %}"     \
    "{% else %}{% set turns = messages %}{% endif %}"                          \
    "{% for m in turns %}"                                                     \
    "{% if (m.role == 'user') != loop.index0 is even or "                      \
    "m.role not in ['user', 'assistant'] %}"                                   \
    "{{ raise_exception('After an optional system message, roles must "        \
    "alternate user/assistant/user/assistant/...') }}{% endif %}"

#define CHATML_TURN                                                            \
    "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"

/* ChatML whose first turn is the system's, given or not. */
#define CHATML_WITH_SYSTEM(text)                                               \
    "{% if messages[0].role != 'system' %}"                                    \
    "{{ '<|im_start|>system\n" text "<|im_end|>\n' }}{% endif %}"              \
    "{% for m in messages %}" CHATML_TURN "{% endfor %}"                       \
    PROMPT("<|im_start|>assistant\n")

#define MISTRAL(system_in_last, user, assistant)                               \
    "{{ bos_token }}" ALTERNATING                                              \
    "{% if m.role == 'assistant' %}{% generation %}"                           \
    "{{ " assistant " + eos_token }}{% endgeneration %}"                       \
    "{% else %}{% set s = system + '\n\n' if system is defined and "           \
    system_in_last " else '' %}{{ " user " }}{% endif %}{% endfor %}"

static const struct {
    const char *name, *text;
} builtin[] = {
    {"chatml", "{% for m in messages %}" CHATML_TURN "{% endfor %}"
               PROMPT("<|im_start|>assistant\n")},
    {"llama2",
     ALTERNATING
     "{% if m.role == 'user' %}"
     "{% set s = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' "
     "if loop.first and system is defined else '' %}"
     "{{ bos_token + '[INST] ' + (s + m.content) | trim + ' [/INST]' }}"
     "{% else %}{{ ' ' + m.content | trim + ' ' + eos_token }}{% endif %}"
     "{% endfor %}"},
    {"llama3",
     "{% for m in messages %}{{ (bos_token if loop.first else '') + "
     "'<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + "
     "m.content | trim + '<|eot_id|>' }}{% endfor %}"
     PROMPT("<|start_header_id|>assistant<|end_header_id|>\n\n")},
    {"mistral-v1", MISTRAL("loop.first",
                           "' [INST] ' + s + m.content + ' [/INST]'",
                           "' ' + m.content")},
    {"mistral-v3", MISTRAL("loop.last",
                           "'[INST] ' + s + m.content + '[/INST]'",
                           "' ' + m.content | trim")},
    {"mistral-nemo", MISTRAL("loop.last",
                             "'[INST]' + s + m.content + '[/INST]'",
                             "m.content")},
    {"qwen2.5", CHATML_WITH_SYSTEM("You are Qwen, created by Alibaba Cloud. "
                                   "You are a helpful assistant.")},
    {"qwen3",
     "{% set ns = namespace(last=messages | length - 1) %}"
     "{% for m in messages %}{% if m.role == 'user' and not "
     "(m.content.startswith('<tool_response>') and "
     "m.content.endswith('</tool_response>')) %}"
     "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
     "{% for m in messages %}{% if m.role == 'assistant' %}"
     "{% set c = m.content %}{% set r = m.reasoning_content | d('') %}"
     "{% if '</think>' in c and m.reasoning_content is not defined %}"
     "{% set r = c.split('</think>')[0].rstrip('\n').split('<think>')[-1]"
     ".lstrip('\n') %}"
     "{% set c = c.split('</think>')[-1].lstrip('\n') %}{% endif %}"
     "{{ '<|im_start|>assistant\n' }}{% generation %}"
     "{{ ('<think>\n' + r.strip('\n') + '\n</think>\n\n' + c.lstrip('\n') "
     "if loop.index0 > ns.last and (loop.last or r) else c) + '<|im_end|>' }}"
     "{% endgeneration %}{{ '\n' }}"
     "{% else %}" CHATML_TURN "{% endif %}{% endfor %}"
     PROMPT("<|im_start|>assistant\n")
     "{% if add_generation_prompt and enable_thinking is false %}"
     "{{ '<think>\n\n</think>\n\n' }}{% endif %}"},
    {"smollm2", CHATML_WITH_SYSTEM("You are a helpful AI assistant named "
                                   "SmolLM, trained by Hugging Face")},
    {"gemma",
     "{% if messages[0].role == 'system' %}"
     "{{ raise_exception('System role not supported') }}{% endif %}"
     "{{ bos_token }}" ALTERNATING
     "{{ '<start_of_turn>' + ('user' if m.role == 'user' else 'model') + '\n' "
     "+ m.content | trim + '<end_of_turn>\n' }}{% endfor %}"
     PROMPT("<start_of_turn>model\n")},
    {"deepseek",
     "{{ bos_token + messages | selectattr('role', '==', 'system') | "
     "map(attribute='content') | join('\n\n') }}"
     "{% for m in messages %}{% if m.role == 'user' %}"
     "{{ '<｜User｜>' + m.content }}{% elif m.role == 'assistant' %}"
     "{{ '<｜Assistant｜>' + m.content + '<｜end▁of▁sentence｜>' }}{% endif %}"
     "{% endfor %}" PROMPT("<｜Assistant｜>")},
    {"zephyr",
     "{% for m in messages %}"
     "{{ '<|' + m.role + '|>\n' + m.content + eos_token + '\n' }}{% endfor %}"
     PROMPT("<|assistant|>\n")},
    {"phi3",
     "{% for m in messages %}{% if m.role == 'assistant' %}"
     "{{ '<|assistant|>\n' }}{% generation %}{{ m.content + '<|end|>' }}"
     "{% endgeneration %}{{ '\n' }}{% else %}"
     "{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endif %}"
     "{% endfor %}"
     "{{ '<|assistant|>\n' if add_generation_prompt else eos_token }}"},
    {NULL, NULL}};

const char *t2g_chat_builtin(const char *name)
{
    size_t i = 0;
    while (builtin[i].name && strcmp(name, builtin[i].name))
        i++;
    return builtin[i].text;
}

const char *t2g_chat_builtin_name(size_t i)
{
    enum { COUNT = sizeof builtin / sizeof *builtin - 1 };
    return i < COUNT ? builtin[i].name : NULL;
}
