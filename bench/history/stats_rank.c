#include "history/stats_rank.h"
#include "base/memory.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { EXACT_LIMIT = 50 };

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double lower_quartile(const double *values, size_t n) {
    double *sorted = need(n, sizeof *sorted);
    memcpy(sorted, values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_doubles);
    const double place = 0.25 * (double)(n - 1);
    const size_t below = (size_t)place;
    const double above = sorted[below + 1 < n ? below + 1 : below];
    const double quartile = sorted[below] + (place - (double)below) * (above - sorted[below]);
    free(sorted);
    return quartile;
}

double normal_quantile(double p) {
    // Bisection on erfc: no tables, and far from any hot path.
    double low = -40, high = 40;
    while (high - low > 1e-13 * (1 + fabs(low))) {
        const double middle = (low + high) / 2;
        if (0.5 * erfc(-middle / M_SQRT2) < p)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

struct ranked {
    double value;
    bool first;    /**< of the first sample */
    unsigned rank; /**< twice the mid-rank, hence whole */
};

static int compare_ranked(const void *a, const void *b) {
    return compare_doubles(&((const struct ranked *)a)->value, &((const struct ranked *)b)->value);
}

/** Ranks the pooled values. @return sum of t^3 - t over groups of t ties. */
static double assign_ranks(struct ranked *pool, size_t total) {
    double ties = 0;
    qsort(pool, total, sizeof *pool, compare_ranked);
    for (size_t i = 0, j; i < total; i = j) {
        for (j = i + 1; j < total && pool[j].value == pool[i].value;)
            j++;
        for (size_t k = i; k < j; k++)
            pool[k].rank = (unsigned)(i + j + 1);
        const double t = (double)(j - i);
        ties += t * t * t - t;
    }
    return ties;
}

/**
 * Share of the ways to choose m of the pooled ranks whose sum lies at least as far from the mean
 * as the observed one. ways[k][s]: ways to reach sum s with k ranks.
 */
static double exact_p(const struct ranked *pool, size_t total, size_t m, unsigned observed) {
    const size_t sums = total * (total + 1) + 1;
    double *ways = need((m + 1) * sums, sizeof *ways);
    ways[0] = 1;
    for (size_t i = 0; i < total; i++) {
        const size_t rank = pool[i].rank;
        for (size_t k = m < i + 1 ? m : i + 1; k > 0; k--) {
            const double *from = ways + (k - 1) * sums;
            double *to = ways + k * sums;
            for (size_t s = rank; s < sums; s++)
                to[s] += from[s - rank];
        }
    }
    const double mean = (double)m * (double)(total + 1);
    const double distance = fabs((double)observed - mean);
    double far = 0, all = 0;
    for (size_t s = 0; s < sums; s++) {
        all += ways[m * sums + s];
        if (fabs((double)s - mean) >= distance)
            far += ways[m * sums + s];
    }
    free(ways);
    return far / all;
}

static double normal_p(double m, double n, double ties, double observed) {
    const double total = m + n;
    const double variance = m * n / 12 * (total + 1 - ties / (total * (total - 1)));
    const double distance = fabs(observed - m * (total + 1)) / 2 - 0.5;
    return variance > 0 && distance > 0 ? erfc(distance / sqrt(2 * variance)) : 1;
}

double mann_whitney(const double *x, size_t m, const double *y, size_t n) {
    if (m == 0 || n == 0)
        return 1;
    const size_t total = m + n;
    struct ranked *pool = need(total, sizeof *pool);
    for (size_t i = 0; i < total; i++)
        pool[i] = (struct ranked){.value = i < m ? x[i] : y[i - m], .first = i < m};
    const double ties = assign_ranks(pool, total);
    double observed = 0;
    for (size_t i = 0; i < total; i++)
        observed += pool[i].first ? pool[i].rank : 0;
    const double p = total <= EXACT_LIMIT ? exact_p(pool, total, m, (unsigned)observed)
                                          : normal_p((double)m, (double)n, ties, observed);
    free(pool);
    return fmin(p, 1);
}

double mann_whitney_least(size_t m, size_t n) {
    double choices = 1; // of m among m + n
    for (size_t i = 1; i <= m; i++)
        choices *= (double)(n + i) / (double)i;
    return fmin(1, 2 / choices);
}

/** Pairs with y[j] - x[i] <= d, for sorted x and y. */
static double pairs_within(const double *x, size_t m, const double *y, size_t n, double d) {
    double count = 0;
    size_t j = 0;
    for (size_t i = 0; i < m; i++) {
        while (j < n && y[j] - x[i] <= d)
            j++;
        count += (double)j;
    }
    return count;
}

/** The k-th smallest (from 1) of all y[j] - x[i], for sorted x and y, by bisection: m x n
 *  differences are never stored. */
static double nth_difference(const double *x, size_t m, const double *y, size_t n, double k) {
    double low = y[0] - x[m - 1], high = y[n - 1] - x[0];
    if (pairs_within(x, m, y, n, low) >= k)
        return low;
    for (int i = 0; i < 100; i++) {
        const double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high)
            break;
        if (pairs_within(x, m, y, n, middle) >= k)
            high = middle;
        else
            low = middle;
    }
    return high;
}

/** Largest k with P(U < k) <= tail, under the null distribution without ties. */
static double critical_count(size_t m, size_t n, double tail) {
    if (m + n > EXACT_LIMIT) {
        const double spread = sqrt((double)m * (double)n * (double)(m + n + 1) / 12);
        return floor(fmax(0, (double)m * (double)n / 2 + normal_quantile(tail) * spread));
    }
    // ways[k][u]: ways that k of the first sample exceed u of the second; the classical recursion
    // over the pooled order, one value of the second sample at a time.
    const size_t counts = m * n + 1;
    double *ways = need((m + 1) * counts, sizeof *ways);
    ways[0] = 1;
    for (size_t rank = 0; rank < m + n; rank++) {
        for (size_t k = m < rank + 1 ? m : rank + 1; k > 0; k--) {
            const size_t below =
                rank - (k - 1); // of the second sample, if this rank is the first's
            const double *from = ways + (k - 1) * counts;
            double *to = ways + k * counts;
            for (size_t u = below; below <= n && u < counts; u++)
                to[u] += from[u - below];
        }
    }
    double all = 0, lower = 0;
    for (size_t u = 0; u < counts; u++)
        all += ways[m * counts + u];
    size_t k = 0;
    while (k < counts && lower + ways[m * counts + k] <= tail * all)
        lower += ways[m * counts + k++];
    free(ways);
    return (double)k;
}

struct shift hodges_lehmann(double *x, size_t m, double *y, size_t n, double confidence) {
    qsort(x, m, sizeof *x, compare_doubles);
    qsort(y, n, sizeof *y, compare_doubles);
    const double pairs = (double)m * (double)n;
    const double k = critical_count(m, n, (1 - confidence) / 2);
    return (struct shift){
        .estimate = (nth_difference(x, m, y, n, floor((pairs + 1) / 2)) +
                     nth_difference(x, m, y, n, ceil((pairs + 1) / 2))) /
                    2,
        .low = k < 1 ? -INFINITY : nth_difference(x, m, y, n, k),
        .high = k < 1 ? INFINITY : nth_difference(x, m, y, n, pairs + 1 - k),
    };
}

struct indexed {
    double p;
    size_t index;
};

static int compare_indexed(const void *a, const void *b) {
    return compare_doubles(&((const struct indexed *)a)->p, &((const struct indexed *)b)->p);
}

void benjamini_hochberg(double *p, size_t n) {
    struct indexed *order = need(n, sizeof *order);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(p[i]))
            order[count++] = (struct indexed){p[i], i};
    }
    qsort(order, count, sizeof *order, compare_indexed);
    double least = 1;
    for (size_t i = count; i > 0; i--) {
        least = fmin(least, order[i - 1].p * (double)count / (double)i);
        p[order[i - 1].index] = least;
    }
    free(order);
}
