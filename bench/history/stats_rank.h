/** Rank statistics: what two samples of unknown distribution say of each other. */
#ifndef BENCH_STATS_RANK_H
#define BENCH_STATS_RANK_H

#include <stddef.h>

/**
 * Two-sided Mann-Whitney U test (Mann and Whitney 1947): the probability, were x and y drawn from
 * one distribution, of a rank sum at least as far from its mean. Up to 50 values in all it is the
 * exact permutation distribution, ties included; beyond, the normal approximation with the
 * corrections for ties and continuity.
 *
 * @return 0..1; 1 when either sample is empty.
 */
double mann_whitney(const double *x, size_t m, const double *y, size_t n);

/** The smallest p value that samples of these sizes can reach. */
double mann_whitney_least(size_t m, size_t n);

struct shift {
    double estimate;
    double low, high; /**< infinite where the samples are too small for the confidence asked */
};

/**
 * Hodges-Lehmann shift, the median of all y[j] - x[i], with the confidence interval that inverts
 * the Mann-Whitney test (Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", 3rd
 * ed., sections 4.2 and 4.3). Sorts x and y.
 *
 * @param confidence e.g. 0.99.
 * @param m,n        at least 1 each.
 */
struct shift hodges_lehmann(double *x, size_t m, double *y, size_t n, double confidence);

/**
 * Benjamini and Hochberg's step-up adjustment (1995): rejecting where adjusted <= q keeps the
 * expected share of false rejections under q, and where nothing has changed the chance of any.
 * NaN stays NaN and is not counted.
 */
void benjamini_hochberg(double *p, size_t n);

/** A quarter of the values lie below; between two of them by linear interpolation. n >= 1. */
double lower_quartile(const double *values, size_t n);

/** Quantile of the standard normal distribution, 0 < p < 1, to 1e-12. */
double normal_quantile(double p);

#endif
