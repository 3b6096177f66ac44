//! Who plays what with whom.

use super::cases::Case;
use crate::stacks::Stack;

/// Two stacks, and what they play.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Two stacks; the same twice when it plays with itself.
    pub stacks: [&'static Stack; 2],
    /// Offerer and answerer, one after the other.
    pub halves: Vec<[&'static Stack; 2]>,
    /// What they play in each.
    pub cases: Vec<Case>,
}

impl Unit {
    fn new(one: &'static Stack, other: &'static Stack, cases: Vec<Case>) -> Self {
        let stacks = [one, other];
        let halves = if one == other { vec![stacks] } else { vec![stacks, [other, one]] };
        Self { stacks, halves, cases }
    }

    /// One unit for each half: more can be played side by side then, and more containers are started.
    pub fn split(self) -> impl Iterator<Item = Self> {
        let Self { stacks, halves, cases } = self;
        halves.into_iter().map(move |half| Self { stacks, halves: vec![half], cases: cases.clone() })
    }
}

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Only stacks marked so, each with Weft, and the core cases.
    pub quick: bool,
    /// Also pairs without Weft, with the core cases.
    pub others: bool,
    /// Only pairs with one of these; with two or more, only pairs among these.
    pub peers: Vec<String>,
    /// Only cases whose name contains one of these.
    pub cases: Vec<String>,
}

/// Every pair of `stacks` with its cases.
pub fn plan(stacks: &[&'static Stack], cases: &[Case], wish: &Wish) -> Vec<Unit> {
    let named = |case: &Case| wish.cases.is_empty() || wish.cases.iter().any(|part| case.name.contains(part.as_str()));
    let mut units = Vec::new();
    for (at, one) in stacks.iter().enumerate() {
        for other in stacks.iter().skip(at) {
            let weft = one.is_weft() || other.is_weft();
            let among = |stack: &Stack| wish.peers.iter().any(|peer| peer == stack.name);
            // Who names two stacks wants just these two, who names one wants it with Weft.
            let pair_wanted = match wish.peers.len() {
                0 => weft || wish.others,
                1 => (weft || wish.others) && (among(one) || among(other)),
                _ => among(one) && among(other),
            };
            if !pair_wanted || (wish.quick && !(weft && one.quick && other.quick && one != other)) {
                continue;
            }
            let core = wish.quick || (!weft && wish.cases.is_empty());
            let cases: Vec<Case> = cases.iter().filter(|case| named(case) && (case.core || !core)).copied().collect();
            if !cases.is_empty() {
                units.push(Unit::new(one, other, cases));
            }
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::cases;
    use crate::stacks::STACKS;

    fn pairs(wish: &Wish) -> Vec<[&'static str; 2]> {
        let all: Vec<&'static Stack> = STACKS.iter().collect();
        plan(&all, &cases::all(), wish).iter().map(|unit| unit.stacks.map(|stack| stack.name)).collect()
    }

    #[test]
    fn quick_is_weft_with_chromium_and_libwebrtc() {
        let wish = Wish { quick: true, ..Wish::default() };
        assert_eq!(pairs(&wish), [["weft", "chromium"], ["weft", "libwebrtc"]]);
    }

    #[test]
    fn a_split_unit_plays_the_same() {
        let all: Vec<&'static Stack> = STACKS.iter().collect();
        let played = |units: Vec<Unit>| -> Vec<[&'static str; 2]> {
            units.iter().flat_map(|unit| &unit.halves).map(|half| half.map(|stack| stack.name)).collect()
        };
        let whole = plan(&all, &cases::all(), &Wish { others: true, ..Wish::default() });
        let split: Vec<Unit> = whole.iter().cloned().flat_map(Unit::split).collect();
        assert!(split.iter().all(|unit| unit.halves.len() == 1));
        assert_eq!(played(split), played(whole));
    }

    #[test]
    fn all_is_every_pair_with_itself_too() {
        let wish = Wish { others: true, ..Wish::default() };
        let count = STACKS.len();
        assert_eq!(pairs(&wish).len(), count * (count + 1) / 2);
        assert_eq!(pairs(&Wish::default()).len(), count, "without it, the pairs with Weft");
    }

    #[test]
    fn peers_select_pairs() {
        let wish =
            |peers: &[&str]| Wish { peers: peers.iter().map(|&peer| peer.to_owned()).collect(), ..Wish::default() };
        assert_eq!(pairs(&wish(&["pion"])), [["weft", "pion"]]);
        assert_eq!(pairs(&wish(&["pion", "aiortc"])), [["pion", "pion"], ["pion", "aiortc"], ["aiortc", "aiortc"]]);
    }

    #[test]
    fn pairs_without_weft_play_the_core_cases() {
        let all: Vec<&'static Stack> = STACKS.iter().collect();
        let wish = Wish { others: true, ..Wish::default() };
        for unit in plan(&all, &cases::all(), &wish) {
            let weft = unit.stacks.iter().any(|stack| stack.is_weft());
            assert_eq!(unit.cases.iter().all(|case| case.core), !weft, "{:?}", unit.stacks);
        }
    }
}
