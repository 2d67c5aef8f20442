#include "t2g/files.h"

#include <xxhash.h>

struct t2g_digest {
    XXH3_state_t *state;
};

t2g_status t2g_digest_new(t2g_digest **out)
{
    *out = NULL;
    t2g_digest *d = t2g_calloc(1, sizeof *d);
    if (!d)
        return T2G_ERR_MEMORY;
    d->state = XXH3_createState();
    if (!d->state || XXH3_128bits_reset(d->state) != XXH_OK) {
        XXH3_freeState(d->state);
        t2g_free(d);
        return t2g_fail(T2G_ERR_MEMORY, "no memory for a digest");
    }
    *out = d;
    return T2G_OK;
}

void t2g_digest_bytes(t2g_digest *d, const void *bytes, size_t n)
{
    if (n > 0) /* fails for a null pointer alone */
        (void)XXH3_128bits_update(d->state, bytes, n);
}

void t2g_digest_finish(t2g_digest *d, char hex[33])
{
    XXH128_canonical_t canonical; /* big-endian: the same on every machine */
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(d->state));
    for (size_t i = 0; i < sizeof canonical.digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", canonical.digest[i]);
    XXH3_freeState(d->state);
    t2g_free(d);
}
