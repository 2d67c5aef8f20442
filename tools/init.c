/* t2g init: a model with random parameters, from a configuration. */
#include "cli.h"

static const char *const families[] = {"llama", NULL};

typedef struct init_options {
    const char *config, *tokenizer, *output_dir;
    int family;
    uint64_t vocab_size, hidden_size, layers, heads, kv_heads, head_dim,
        intermediate_size, positions;
    double rope_theta, rms_norm_eps, initializer_range;
    bool tie, scaled, overwrite;
} init_options;

/* SwiGLU's three matrices hold as much as two of width 4H at 8/3 H. */
static size_t usual_width(size_t hidden)
{
    return (hidden * 8 / 3 + 7) / 8 * 8;
}

static t2g_status make_config(t2g_config *c, const init_options *o)
{
    if (o->heads == 0 || (!o->head_dim && o->hidden_size % o->heads))
        return t2g_fail(T2G_ERR_ARG, "hidden-size %llu is no multiple of "
                        "num-attention-heads %llu; give --head-dim",
                        (unsigned long long)o->hidden_size,
                        (unsigned long long)o->heads);
    *c = (t2g_config){
        .vocab_size = o->vocab_size,
        .hidden_size = o->hidden_size,
        .intermediate_size = o->intermediate_size
                                 ? o->intermediate_size
                                 : usual_width(o->hidden_size),
        .num_hidden_layers = o->layers,
        .num_attention_heads = o->heads,
        .num_key_value_heads = o->kv_heads ? o->kv_heads : o->heads,
        .head_dim = o->head_dim ? o->head_dim : o->hidden_size / o->heads,
        .max_position_embeddings = o->positions,
        .rms_norm_eps = (float)o->rms_norm_eps,
        .tie_word_embeddings = o->tie,
        .bos_token_id = -1,
        .pad_token_id = -1,
        .initializer_range = o->initializer_range,
        .rope_theta = o->rope_theta,
        .rope_factor = 1,
        .rope_type = T2G_ROPE_DEFAULT};
    return T2G_OK;
}

static t2g_status fit_tokenizer(t2g_config *c, const t2g_tokenizer *t)
{
    int64_t eos = t2g_tokenizer_eos(t);
    if (c->vocab_size == 0)
        c->vocab_size = t2g_tokenizer_size(t);
    if (c->vocab_size < t2g_tokenizer_size(t))
        return t2g_fail(T2G_ERR_ARG, "the vocabulary of %zu is too small for "
                        "the tokenizer's %zu tokens", c->vocab_size,
                        t2g_tokenizer_size(t));
    c->bos_token_id = t2g_tokenizer_bos(t);
    c->pad_token_id = t2g_tokenizer_pad(t);
    c->eos_count = eos >= 0;
    c->eos_token_id[0] = eos;
    return T2G_OK;
}

static t2g_status read_config(t2g_config *c, const init_options *o,
                              const t2g_tokenizer *t)
{
    T2G_TRY(o->config ? t2g_config_read(c, o->config) : make_config(c, o));
    if (t)
        T2G_TRY(fit_tokenizer(c, t));
    if (c->vocab_size == 0)
        return t2g_fail(T2G_ERR_ARG, "needs --vocab-size, or --tokenizer to "
                        "take it from");
    return t2g_config_check(c);
}

static t2g_status make_model(const invocation *inv, const init_options *o,
                             const t2g_config *c, const t2g_tokenizer *t)
{
    t2g_model *m;
    T2G_TRY(t2g_model_init(&m, c, &inv->kernels, inv->common.seed, o->scaled));
    t2g_status s = t2g_model_save(m, o->output_dir);
    if (s == T2G_OK && t)
        s = t2g_tokenizer_save(t, o->output_dir);
    if (s == T2G_OK)
        cli_note(inv, "%s: %zu parameters", o->output_dir,
                 t2g_model_parameters(m));
    t2g_model_free(m);
    return s;
}

static t2g_status work(const invocation *inv, const init_options *o)
{
    t2g_config c;
    t2g_tokenizer *t = NULL;
    if (o->tokenizer)
        T2G_TRY(t2g_tokenizer_load(&t, o->tokenizer));
    t2g_status s = read_config(&c, o, t);
    if (s == T2G_OK)
        s = cli_output_dir(inv, o->output_dir, false, o->overwrite);
    if (s == T2G_OK)
        s = make_model(inv, o, &c, t);
    t2g_tokenizer_free(t);
    return s;
}

static int run(const command *self, int argc, char **argv)
{
    init_options o = {.hidden_size = 256, .layers = 4, .heads = 8,
                      .positions = 2048, .rope_theta = 10000,
                      .rms_norm_eps = 1e-5, .initializer_range = 0.02,
                      .tie = true};
    option table[] = {
        {"tokenizer", OPTION_TEXT, &o.tokenizer, "Input",
         "its size is the vocabulary's; it is copied into the folder", 0, 0,
         NULL, false},
        {"family", OPTION_CHOICE, &o.family, "Shape", "architecture", 0, 0,
         families, false},
        {"vocab-size", OPTION_COUNT, &o.vocab_size, "Shape",
         "tokens; 0: the tokenizer's", 0, 1 << 24, NULL, false},
        {"hidden-size", OPTION_COUNT, &o.hidden_size, "Shape",
         "width of the hidden states", 1, 1 << 16, NULL, false},
        {"num-hidden-layers", OPTION_COUNT, &o.layers, "Shape", "layers", 1,
         1024, NULL, false},
        {"num-attention-heads", OPTION_COUNT, &o.heads, "Shape", "query heads",
         1, 1024, NULL, false},
        {"num-key-value-heads", OPTION_COUNT, &o.kv_heads, "Shape",
         "key and value heads; 0: as many as query heads", 0, 1024, NULL,
         false},
        {"head-dim", OPTION_COUNT, &o.head_dim, "Shape",
         "size of a head; 0: hidden size over heads", 0, 1024, NULL, false},
        {"intermediate-size", OPTION_COUNT, &o.intermediate_size, "Shape",
         "width of the feed-forward part; 0: 8/3 of the hidden size", 0,
         1 << 18, NULL, false},
        {"max-position-embeddings", OPTION_COUNT, &o.positions, "Shape",
         "longest sequence", 1, 1 << 24, NULL, false},
        {"tie-word-embeddings", OPTION_FLAG, &o.tie, "Shape",
         "embedding and output projection are one", 0, 0, NULL, false},
        {"rope-theta", OPTION_REAL, &o.rope_theta, "Shape",
         "base of the rotary frequencies", 1, 1e12, NULL, false},
        {"rms-norm-eps", OPTION_REAL, &o.rms_norm_eps, "Shape",
         "added to the mean square", 0, 1, NULL, false},
        {"initializer-range", OPTION_REAL, &o.initializer_range, "Start",
         "standard deviation of the parameters", 0, 10, NULL, false},
        {"scaled-init", OPTION_FLAG, &o.scaled, "Start",
         "deviation by fan-in instead, residual outputs over sqrt(2L)", 0, 0,
         NULL, false},
        {"output-dir", OPTION_TEXT, &o.output_dir, "Output", "model folder", 0,
         0, NULL, false},
        {"overwrite", OPTION_FLAG, &o.overwrite, "Output",
         "replace a model or run that is there", 0, 0, NULL, false},
        {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    o.config = inv.file_count ? inv.files[0] : NULL;
    if (!o.output_dir || inv.file_count > 1)
        status = cli_usage(&inv, "needs --output-dir and at most one "
                                 "config.json");
    else
        status = work(&inv, &o) == T2G_OK ? EXIT_DONE : cli_failed(&inv);
    cli_free(&inv);
    return status;
}

const command command_init = {
    "init", "a model folder with random parameters",
    "[CONFIG.json] --output-dir DIR [options]",
    "t2g init --tokenizer tokenizer --hidden-size 128 --num-hidden-layers 3 "
    "--num-attention-heads 4 --output-dir base", run};
