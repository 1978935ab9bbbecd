//! Batches of pages: the same bytes as AWS-LC for every back end, rule, length, alignment, number of pages and mix of
//! keys.

use proptest::collection::vec;
use proptest::prelude::*;
use strongroom_cipher::pages::{self, Page, PageKey, Rule};
use strongroom_cipher::{AesEncrypt, Backend, Buffer, CipherError, Iv, ecb};

use crate::aws_lc::{self, key};
use crate::whole::Mode;

const RULES: [Rule; 3] = [Rule::WholeBlocks, Rule::InnoDb, Rule::MariaDb];

fn backends() -> impl Iterator<Item = Backend> {
    Backend::ALL.into_iter().filter(|backend| backend.is_available())
}

/// One page as the tests describe it.
#[derive(Debug, Clone)]
struct Case {
    key: usize,
    iv: Iv,
    plain: Vec<u8>,
    /// Bytes between it and the page before.
    gap: usize,
    across: bool,
}

/// What AWS-LC makes of a page; the rules for page ends are put together from its CBC.
fn expected(rule: Rule, key: &[u8], iv: &Iv, plain: &[u8]) -> Vec<u8> {
    let whole = plain.len() / 16 * 16;
    match rule {
        Rule::MariaDb => aws_lc::expected(Mode::CbcTail, key, iv, plain),
        Rule::WholeBlocks | Rule::InnoDb => {
            let mut out = aws_lc::expected(Mode::CbcTail, key, iv, &plain[..whole]);
            if whole < plain.len() {
                out.extend_from_slice(&plain[whole..]);
                let last = out.len() - 32;
                let again = aws_lc::expected(Mode::CbcTail, key, iv, &out[last..]);
                out[last..].copy_from_slice(&again);
            }
            out
        }
    }
}

type Batch = fn(Rule, &mut [Page<'_>]) -> Result<(), CipherError>;

const CTR: Batch = |_, pages| pages::apply_ctr(pages);

/// Runs a batch whose pages lie in one stretch of memory, with gaps that must stay as they are.
fn run(work: Batch, rule: Rule, keys: &[PageKey], cases: &[Case]) -> Result<Vec<Vec<u8>>, CipherError> {
    const FILLING: u8 = 0xA5;
    let total: usize = cases.iter().map(|case| case.gap + case.plain.len()).sum();
    let mut memory = vec![FILLING; total];
    {
        let mut rest = memory.as_mut_slice();
        let mut batch = Vec::new();
        for case in cases {
            let (_, after) = rest.split_at_mut(case.gap);
            let (place, after) = after.split_at_mut(case.plain.len());
            rest = after;
            let data = if case.across {
                Buffer::Across { src: &case.plain, dst: place }
            } else {
                place.copy_from_slice(&case.plain);
                Buffer::InPlace(place)
            };
            batch.push(Page { key: &keys[case.key % keys.len()], iv: case.iv, data });
        }
        work(rule, &mut batch)?;
    }
    let mut rest = memory.as_slice();
    let mut outputs = Vec::new();
    for case in cases {
        let (gap, after) = rest.split_at(case.gap);
        assert!(gap.iter().all(|byte| *byte == FILLING), "bytes between pages changed");
        let (output, after) = after.split_at(case.plain.len());
        outputs.push(output.to_vec());
        rest = after;
    }
    Ok(outputs)
}

fn with_plain(cases: &[Case], plain: &[Vec<u8>]) -> Vec<Case> {
    cases.iter().zip(plain).map(|(case, plain)| Case { plain: plain.clone(), ..case.clone() }).collect()
}

/// Encrypts, compares with AWS-LC, decrypts, compares with the start; then counter mode.
fn check(backend: Backend, rule: Rule, raw_keys: &[Vec<u8>], cases: &[Case]) {
    let keys: Vec<PageKey> =
        raw_keys.iter().map(|key| PageKey::with_backend(key, backend).expect("a key")).collect();
    let raw = |case: &Case| &raw_keys[case.key % raw_keys.len()];
    let plain: Vec<Vec<u8>> = cases.iter().map(|case| case.plain.clone()).collect();

    let sealed = run(pages::encrypt, rule, &keys, cases).expect("encrypts");
    for (at, (case, sealed)) in cases.iter().zip(&sealed).enumerate() {
        let expected = expected(rule, raw(case), &case.iv, &case.plain);
        assert!(*sealed == expected, "{backend:?} {rule:?}: page {at} of {} bytes", case.plain.len());
    }
    let opened = run(pages::decrypt, rule, &keys, &with_plain(cases, &sealed)).expect("decrypts");
    assert!(opened == plain, "{backend:?} {rule:?} decrypting");

    let sealed = run(CTR, rule, &keys, cases).expect("counter mode");
    for (case, sealed) in cases.iter().zip(&sealed) {
        assert!(*sealed == aws_lc::expected(Mode::Ctr, raw(case), &case.iv, &case.plain), "{backend:?} CTR");
    }
}

fn case(max_bytes: usize) -> impl Strategy<Value = Case> {
    // Gaps that give any alignment, and every page its own.
    (any::<usize>(), any::<Iv>(), vec(any::<u8>(), 0..max_bytes), 0..70_usize, any::<bool>())
        .prop_map(|(key, iv, plain, gap, across)| Case { key, iv, plain, gap, across })
}

/// Makes the length one that the rule allows.
fn fitted(rule: Rule, cases: &[Case]) -> Vec<Case> {
    let mut cases = cases.to_vec();
    for case in &mut cases {
        if !rule.allows(case.plain.len()) {
            case.plain.truncate(case.plain.len() / 16 * 16);
        }
    }
    cases
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_batch_agrees_with_aws_lc(
        keys in vec(key(), 1..4), cases in vec(case(300), 0..90),
    ) {
        for backend in backends() {
            for rule in RULES {
                check(backend, rule, &keys, &fitted(rule, &cases));
            }
        }
    }

    #[test]
    fn batches_under_one_key_agree_with_aws_lc(key in key(), cases in vec(case(700), 1..70)) {
        for backend in backends() {
            for rule in RULES {
                check(backend, rule, std::slice::from_ref(&key), &fitted(rule, &cases));
            }
        }
    }
}

/// Pages long enough to be staggered.
fn long_pages(count: usize, bytes: usize, keys: usize) -> Vec<Case> {
    (0..count)
        .map(|at| Case {
            key: at % keys,
            iv: [at as u8; 16],
            plain: (0..bytes).map(|byte| (byte * 31 + at * 7) as u8).collect(),
            gap: if at % 5 == 0 { 38 } else { 0 },
            across: at % 3 == 0,
        })
        .collect()
}

#[test]
fn staggered_pages_agree_with_aws_lc() {
    let keys = [vec![1; 32], vec![2; 32], vec![3; 32]];
    for backend in backends() {
        for count in [2, 7, 8, 9, 16, 23, 24, 25, 31, 32, 33, 70] {
            check(backend, Rule::InnoDb, &keys[..1], &long_pages(count, 4096 - 38, 1));
            check(backend, Rule::MariaDb, &keys, &long_pages(count, 4096 - 46, 3));
        }
        check(backend, Rule::InnoDb, &keys[..1], &long_pages(40, 16_346, 1));
        check(backend, Rule::InnoDb, &keys, &long_pages(33, 16_346, 3));
    }
}

#[test]
fn every_length_of_a_page_agrees_with_aws_lc() {
    for backend in backends() {
        for bytes in [16, 24, 32] {
            let keys = [(0..bytes as u8).collect::<Vec<u8>>()];
            // All the ways a span splits into whole groups, halves and single blocks, with every tail.
            let mut cases = long_pages(1200, 0, 1);
            for (length, case) in cases.iter_mut().enumerate() {
                case.plain = vec![length as u8; length];
            }
            for rule in RULES {
                check(backend, rule, &keys, &fitted(rule, &cases));
            }
        }
    }
}

#[test]
fn keys_of_all_lengths_and_back_ends_mix_in_one_batch() {
    let raw: Vec<Vec<u8>> = [16, 24, 32].iter().map(|bytes| vec![*bytes as u8; *bytes]).collect();
    let mut raw_keys = Vec::new();
    let mut keys = Vec::new();
    for backend in backends() {
        for key in &raw {
            raw_keys.push(key.clone());
            keys.push(PageKey::with_backend(key, backend).expect("a key"));
        }
    }
    let mut cases = long_pages(100, 500, 1);
    for (at, case) in cases.iter_mut().enumerate() {
        case.key = at * 7;
    }
    let sealed = run(pages::encrypt, Rule::InnoDb, &keys, &cases).expect("encrypts");
    for (case, sealed) in cases.iter().zip(&sealed) {
        let key = &raw_keys[case.key % raw_keys.len()];
        assert_eq!(*sealed, expected(Rule::InnoDb, key, &case.iv, &case.plain));
    }
}

#[test]
fn the_counter_carries_the_same_in_every_back_end() {
    let key = vec![8; 32];
    for backend in backends() {
        for low in [u64::MAX, u64::MAX - 1, u64::MAX - 7, u64::MAX - 40] {
            for high in [0, 5, u64::MAX] {
                let mut cases = long_pages(1, 2000, 1);
                cases[0].iv = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
                check(backend, Rule::MariaDb, std::slice::from_ref(&key), &cases);
            }
        }
    }
}

#[test]
fn wrapping_agrees_in_every_back_end() {
    for backend in backends() {
        for bytes in [16, 24, 32] {
            let aes = AesEncrypt::with_backend(&vec![5; bytes], backend).expect("a key");
            for blocks in 0..70 {
                let plain: Vec<u8> = (0..blocks * 16).map(|at| at as u8).collect();
                let mut wrapped = plain.clone();
                ecb::encrypt_blocks(&aes, &mut wrapped).expect("whole blocks");
                assert_eq!(wrapped, aws_lc::ecb_of(&vec![5; bytes], &plain));
                ecb::decrypt_blocks(&aes.inverse(), &mut wrapped).expect("whole blocks");
                assert_eq!(wrapped, plain);
            }
        }
    }
}

#[test]
fn a_page_that_breaks_its_rule_leaves_the_batch_untouched() {
    let keys = [PageKey::new(&[1; 16]).expect("a key")];
    for (rule, bytes) in [(Rule::WholeBlocks, 17), (Rule::InnoDb, 31), (Rule::InnoDb, 1)] {
        let mut good = [0x11; 64];
        let mut bad = vec![0x22; bytes];
        for work in [pages::encrypt as Batch, pages::decrypt] {
            let mut batch = [
                Page { key: &keys[0], iv: [0; 16], data: Buffer::InPlace(&mut good) },
                Page { key: &keys[0], iv: [0; 16], data: Buffer::InPlace(&mut bad) },
            ];
            assert_eq!(work(rule, &mut batch), Err(CipherError::PageLength { page: 1, bytes }));
            assert!(good.iter().all(|byte| *byte == 0x11) && bad.iter().all(|byte| *byte == 0x22));
        }
    }
    let (src, mut dst) = ([0; 64], [0x33; 63]);
    for work in [pages::encrypt as Batch, pages::decrypt, CTR] {
        let data = Buffer::Across { src: &src, dst: &mut dst };
        let mut batch = [Page { key: &keys[0], iv: [0; 16], data }];
        let too_small = CipherError::OutputTooSmall { needed: 64, room: 63 };
        assert_eq!(work(Rule::InnoDb, &mut batch), Err(too_small));
        assert_eq!(dst, [0x33; 63]);
    }
}

#[test]
fn output_past_the_page_stays_as_it_is() {
    let keys = [PageKey::new(&[1; 16]).expect("a key")];
    let src = [7; 333];
    for rule in [Rule::InnoDb, Rule::MariaDb] {
        for work in [pages::encrypt as Batch, pages::decrypt, CTR] {
            let mut dst = [[0x33; 400]; 3];
            let mut batch: Vec<Page<'_>> = dst
                .iter_mut()
                .map(|dst| Page { key: &keys[0], iv: [0; 16], data: Buffer::Across { src: &src, dst } })
                .collect();
            work(rule, &mut batch).expect("works");
            drop(batch);
            assert!(dst.iter().all(|page| page[333..] == [0x33; 67] && page[..333] == dst[0][..333]));
        }
    }
}
