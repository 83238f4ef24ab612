//! Dividing what a path carries among the videos that share it.

/// Divides `budget` bit/s among videos that want so many bit/s each. Nobody gets more than is wanted while somebody
/// else gets less; those who get less than they want get the same (max-min fairness). What nobody wants goes to all in
/// equal parts.
#[must_use]
pub fn divide(budget: u64, wanted: &[u64]) -> Vec<u64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|index| wanted.get(*index));
    let mut shares = vec![0; wanted.len()];
    let (mut left, mut waiting) = (budget, wanted.len() as u64);
    for index in order {
        let equal = left.checked_div(waiting).unwrap_or_default();
        if let (Some(share), Some(wanted)) = (shares.get_mut(index), wanted.get(index)) {
            *share = equal.min(*wanted);
            left = left.saturating_sub(*share);
        }
        waiting = waiting.saturating_sub(1);
    }
    let extra = left.checked_div(wanted.len() as u64).unwrap_or_default();
    for share in &mut shares {
        *share = share.saturating_add(extra);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_little_gets_it_and_the_others_share_the_rest() {
        assert_eq!(divide(900, &[100, 1_000, 600]), [100, 400, 400]);
        assert_eq!(divide(900, &[1_000, 1_000]), [450, 450]);
    }

    #[test]
    fn what_nobody_wants_is_divided_too() {
        assert_eq!(divide(1_000, &[100, 300]), [400, 600]);
    }

    #[test]
    fn nothing_is_divided_among_nobody_and_nobody_gets_more_than_there_is() {
        assert_eq!(divide(1_000, &[]), [0; 0]);
        assert_eq!(divide(0, &[5, 7]), [0, 0]);
        for budget in [1, 2, 999, u64::MAX] {
            let shares = divide(budget, &[3, u64::MAX, 9, 0]);
            assert!(shares.iter().map(|share| u128::from(*share)).sum::<u128>() <= u128::from(budget));
        }
    }
}
