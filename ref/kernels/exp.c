/* Transcendental functions: SLEEF's deterministic ones with FMA, the same bits
 * for every vector width and platform. Its header hides their declarations
 * unless the whole build uses FMA instructions, hence those here. */
#include "kernels_ref.h"

float Sleef_finz_expf1_u10purecfma(float);
float Sleef_finz_logf1_u10purecfma(float);
float Sleef_finz_tanhf1_u10purecfma(float);
float Sleef_finz_sinf1_u10purecfma(float);
float Sleef_finz_cosf1_u10purecfma(float);
double Sleef_finz_expd1_u10purecfma(double);
double Sleef_finz_logd1_u10purecfma(double);
double Sleef_finz_powd1_u10purecfma(double, double);
double Sleef_finz_sind1_u10purecfma(double);
double Sleef_finz_cosd1_u10purecfma(double);

float t2g_expf(float x)
{
    return Sleef_finz_expf1_u10purecfma(x);
}

float t2g_logf(float x)
{
    return Sleef_finz_logf1_u10purecfma(x);
}

float t2g_tanhf(float x)
{
    return Sleef_finz_tanhf1_u10purecfma(x);
}

float t2g_sinf(float x)
{
    return Sleef_finz_sinf1_u10purecfma(x);
}

float t2g_cosf(float x)
{
    return Sleef_finz_cosf1_u10purecfma(x);
}

double t2g_exp(double x)
{
    return Sleef_finz_expd1_u10purecfma(x);
}

double t2g_log(double x)
{
    return Sleef_finz_logd1_u10purecfma(x);
}

double t2g_pow(double x, double y)
{
    return Sleef_finz_powd1_u10purecfma(x, y);
}

double t2g_sin(double x)
{
    return Sleef_finz_sind1_u10purecfma(x);
}

double t2g_cos(double x)
{
    return Sleef_finz_cosd1_u10purecfma(x);
}

void t2g_exp_ref(float *y, const float *x, float shift, size_t n)
{
    for (size_t j = 0; j < n; j++)
        y[j] = t2g_expf(x[j] - shift);
}
