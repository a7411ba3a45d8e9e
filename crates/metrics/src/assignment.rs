//! The linear assignment problem.

/// The assignment of each row to a column of its own with the smallest sum of costs.
///
/// The Hungarian method with potentials, O(n³): Kuhn, Naval Res. Logist. Q. 2, 83 (1955).
/// `costs` is square and finite.
pub(crate) fn assign(costs: &[Vec<f64>]) -> Vec<usize> {
    let n = costs.len();
    // Rows and columns count from 1; 0 stands for none.
    let mut row_potentials = vec![0.0; n + 1];
    let mut column_potentials = vec![0.0; n + 1];
    let mut row_of = vec![0; n + 1];
    let mut previous = vec![0; n + 1];
    for row in 1..=n {
        row_of[0] = row;
        let mut column = 0;
        let mut slack = vec![f64::INFINITY; n + 1];
        let mut visited = vec![false; n + 1];
        while row_of[column] != 0 {
            visited[column] = true;
            let here = row_of[column];
            let (mut nearest, mut delta) = (0, f64::INFINITY);
            for other in 1..=n {
                if visited[other] {
                    continue;
                }
                let reduced =
                    costs[here - 1][other - 1] - row_potentials[here] - column_potentials[other];
                if reduced < slack[other] {
                    (slack[other], previous[other]) = (reduced, column);
                }
                if slack[other] < delta {
                    (delta, nearest) = (slack[other], other);
                }
            }
            for other in 0..=n {
                if visited[other] {
                    row_potentials[row_of[other]] += delta;
                    column_potentials[other] -= delta;
                } else {
                    slack[other] -= delta;
                }
            }
            column = nearest;
        }
        while column != 0 {
            row_of[column] = row_of[previous[column]];
            column = previous[column];
        }
    }
    let mut columns = vec![0; n];
    for column in 1..=n {
        columns[row_of[column] - 1] = column - 1;
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permutations(n: usize) -> Vec<Vec<usize>> {
        if n == 0 {
            return vec![Vec::new()];
        }
        let shorter = permutations(n - 1);
        (0..n)
            .flat_map(|place| {
                shorter.iter().map(move |rest| {
                    let mut all = rest.clone();
                    all.insert(place, n - 1);
                    all
                })
            })
            .collect()
    }

    /// Oracle: all permutations.
    #[test]
    fn no_permutation_is_cheaper() {
        let mut seed = 12_345_u64;
        for n in 1..=6 {
            for _ in 0..20 {
                let costs: Vec<Vec<f64>> = (0..n)
                    .map(|_| {
                        (0..n)
                            .map(|_| {
                                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                                ((seed >> 33) % 50) as f64
                            })
                            .collect()
                    })
                    .collect();
                let cost = |columns: &[usize]| -> f64 {
                    columns
                        .iter()
                        .enumerate()
                        .map(|(row, &c)| costs[row][c])
                        .sum()
                };
                let cheapest = permutations(n)
                    .iter()
                    .map(|p| cost(p))
                    .fold(f64::MAX, f64::min);
                let mut columns = assign(&costs);
                assert_eq!(cost(&columns), cheapest);
                columns.sort_unstable();
                assert!(columns.into_iter().eq(0..n));
            }
        }
    }
}
