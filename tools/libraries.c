#include "libraries.h"

#include <curl/curl.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <sleef.h>
#include <string.h>
#include <xxhash.h>
#include <zlib.h>

#include "t2g/t2g.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static const char *const isa_compiled[] = {
    "scalar",
#ifdef T2G_HAVE_AVX2
    "avx2",
#endif
#ifdef T2G_HAVE_AVX512
    "avx512",
#endif
#ifdef T2G_HAVE_NEON
    "neon",
#endif
    NULL};

/* "201511": the year and month of the standard, as OpenMP numbers itself. */
static const char *openmp(void)
{
#ifdef _OPENMP
#define TEXT(x) #x
#define VALUE(x) TEXT(x)
    return VALUE(_OPENMP);
#else
    return "absent";
#endif
}

static void three_numbers(char out[32], unsigned a, unsigned b, unsigned c)
{
    snprintf(out, 32, "%u.%u.%u", a, b, c);
}

static json_t *names(const char *const *name)
{
    json_t *list = json_array();
    for (; *name; name++)
        json_array_append_new(list, json_string(*name));
    return list;
}

json_t *libraries_json(void)
{
    char sleef[32], xxhash[32], pcre2[64] = "";
    unsigned x = XXH_versionNumber();
    three_numbers(sleef, SLEEF_VERSION_MAJOR, SLEEF_VERSION_MINOR,
                  SLEEF_VERSION_PATCHLEVEL);
    three_numbers(xxhash, x / 10000, x / 100 % 100, x % 100);
    (void)pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
    pcre2[strcspn(pcre2, " ")] = '\0'; /* the date */
    return json_pack(
        "{s:s, s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s}, s:o, s:o}",
        "version", T2G_VERSION, "compiler", COMPILER, "flags", T2G_BUILD_FLAGS,
        "libraries", "sleef", sleef, "jansson", jansson_version_str(),
        "xxhash", xxhash, "zlib", zlibVersion(), "pcre2",
        pcre2, "curl",
        curl_version_info(CURLVERSION_NOW)->version, "openmp", openmp(),
        "isa_compiled", names(isa_compiled), "isa_available",
        names(t2g_isa_available()));
}

static void print_names(FILE *out, const char *label, const char *const *name)
{
    fprintf(out, "%-10s", label);
    for (; *name; name++)
        fprintf(out, " %s", *name);
    fputc('\n', out);
}

void libraries_print(FILE *out)
{
    json_t *all = libraries_json(), *value;
    const char *key;
    fprintf(out, "t2g %s\n%-10s %s\n%-10s %s\n%-10s", T2G_VERSION, "compiler",
            COMPILER, "flags", T2G_BUILD_FLAGS, "libraries");
    json_object_foreach(json_object_get(all, "libraries"), key, value)
        fprintf(out, " %s %s", key, json_string_value(value));
    fputc('\n', out);
    print_names(out, "compiled", isa_compiled);
    print_names(out, "available", t2g_isa_available());
    json_decref(all);
}
