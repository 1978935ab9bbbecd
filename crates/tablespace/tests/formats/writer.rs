//! A second implementation of MySQL's format, written from its description alone: it builds tablespaces for the tests. It shares no
//! code with the crate; AES is RustCrypto's, checksums are computed bit by bit.

use std::io::Write;

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use cbc::Encryptor;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};

pub(crate) const UUID: &str = "01234567-89ab-cdef-0123-456789abcdef";
pub(crate) const SPACE_ID: u32 = 77;
const LSN: u64 = 0x0000_0001_2345_6789;

/// What a tablespace is to be like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) logical: usize,
    /// Of `ROW_FORMAT=COMPRESSED`.
    pub(crate) physical: Option<usize>,
    pub(crate) checksum: Checksum,
    pub(crate) information: Layout,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Checksum {
    Crc32,
    InnoDb,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Layout {
    V1 {
        wide: bool,
    },
    V2 {
        wide: bool,
    },
    V3,
    /// Of a server without a keyring.
    Default,
}

/// The same tablespace twice.
pub(crate) struct Built {
    pub(crate) plain: Vec<u8>,
    pub(crate) encrypted: Vec<u8>,
    /// `plain` with nothing page-compressed.
    pub(crate) expanded: Vec<u8>,
}

pub(crate) fn master_key() -> [u8; 32] {
    std::array::from_fn(|at| (at * 29 + 5) as u8)
}

pub(crate) fn pair() -> [u8; 64] {
    std::array::from_fn(|at| (at * 91 + 17) as u8)
}

impl Kind {
    pub(crate) fn all() -> Vec<Self> {
        let mut kinds = Vec::new();
        let layouts = [
            Layout::V1 { wide: false },
            Layout::V1 { wide: true },
            Layout::V2 { wide: false },
            Layout::V2 { wide: true },
            Layout::V3,
            Layout::Default,
        ];
        let mut next = layouts.into_iter().cycle();
        let mut add = |logical, physical| {
            for checksum in [Checksum::Crc32, Checksum::InnoDb, Checksum::None] {
                let information = next.next().expect("endless");
                kinds.push(Self { logical, physical, checksum, information });
            }
        };
        for logical in [4096, 8192, 16384, 32768, 65536] {
            add(logical, None);
        }
        for logical in [4096, 8192, 16384] {
            for physical in [1024, 2048, 4096, 8192, 16384] {
                if physical <= logical {
                    add(logical, Some(physical));
                }
            }
        }
        kinds
    }

    pub(crate) fn page_bytes(self) -> usize {
        self.physical.unwrap_or(self.logical)
    }

    fn flags(self) -> u32 {
        let size = |bytes: usize| (bytes / 512).ilog2();
        let logical = if self.logical == 16384 { 0 } else { size(self.logical) };
        1 | 1 << 5 | self.physical.map_or(0, size) << 1 | logical << 6
    }

    /// From the table of offsets that servers have.
    pub(crate) fn information_offset(self) -> usize {
        let extent = (1 << 20_usize).max(64 * self.logical) / self.logical;
        150 + (24 + extent / 4) * (self.page_bytes() / extent)
    }

    pub(crate) fn build(self) -> Built {
        let size = self.page_bytes();
        let mut plain = vec![self.head()];
        let mut pages = vec![
            self.page(1, 5, 0),
            self.page(2, 3, 0),
            self.page(3, 17855, 0),
            self.page(4, 17854, 0x0102_0304_0506_0708),
            self.page(5, 10, 0),
            vec![0; size],
            self.page(7, 17855, 0),
            self.page(8, 0, 0),
        ];
        let mut expanded: Vec<Vec<u8>> = pages.clone();
        if self.physical.is_none() && self.logical > 4096 {
            for (index, (version, algorithm, payload)) in
                [(2, 1, 900), (2, 2, 900), (1, 1, 900), (2, 2, 3), (1, 2, 700)].into_iter().enumerate()
            {
                let page = self.filled(9 + index as u32, 17855, 0, payload);
                expanded.push(page.clone());
                pages.push(page_compress(&page, version, algorithm));
            }
        }
        plain.append(&mut pages);
        expanded.insert(0, plain[0].clone());
        let mut encrypted: Vec<Vec<u8>> = plain.clone();
        self.put_information(&mut encrypted[0]);
        self.checksum(&mut encrypted[0]);
        for (number, page) in encrypted.iter_mut().enumerate().skip(1) {
            // Page 7 was not written since encryption began.
            if number != 7 && page.iter().any(|byte| *byte != 0) {
                encrypt_page(page);
            }
        }
        Built { plain: plain.concat(), encrypted: encrypted.concat(), expanded: expanded.concat() }
    }

    fn head(self) -> Vec<u8> {
        let mut page = vec![0; self.page_bytes()];
        put(&mut page, 16, &LSN.to_be_bytes());
        put(&mut page, 24, &8_u16.to_be_bytes());
        put(&mut page, 34, &SPACE_ID.to_be_bytes());
        put(&mut page, 38, &SPACE_ID.to_be_bytes());
        put(&mut page, 46, &14_u32.to_be_bytes());
        put(&mut page, 54, &self.flags().to_be_bytes());
        for at in (150..self.information_offset().min(page.len() - 200)).step_by(40) {
            page[at] = at as u8;
        }
        self.checksum(&mut page);
        page
    }

    fn page(self, number: u32, page_type: u16, flush: u64) -> Vec<u8> {
        self.filled(number, page_type, flush, self.page_bytes() - 46)
    }

    /// A page with this many bytes that do not repeat.
    fn filled(self, number: u32, page_type: u16, flush: u64, bytes: usize) -> Vec<u8> {
        let mut page = vec![0; self.page_bytes()];
        put(&mut page, 4, &number.to_be_bytes());
        put(&mut page, 8, &u32::MAX.to_be_bytes());
        put(&mut page, 12, &(number + 1).to_be_bytes());
        put(&mut page, 16, &(LSN + u64::from(number)).to_be_bytes());
        put(&mut page, 24, &page_type.to_be_bytes());
        put(&mut page, 26, &flush.to_be_bytes());
        put(&mut page, 34, &SPACE_ID.to_be_bytes());
        let mut state = u64::from(number) + 1;
        for byte in &mut page[38..38 + bytes] {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
        self.checksum(&mut page);
        page
    }

    pub(crate) fn checksum(self, page: &mut [u8]) {
        let end = page.len();
        if self.physical.is_some() {
            let sum = match self.checksum {
                Checksum::Crc32 => crc(&page[4..16]) ^ crc(&page[24..26]) ^ crc(&page[34..]),
                Checksum::InnoDb => adler([&page[4..16], &page[24..26], &page[34..]].concat().as_slice()),
                Checksum::None => 0xDEAD_BEEF,
            };
            return put(page, 0, &sum.to_be_bytes());
        }
        page.copy_within(20..24, end - 4);
        let sum = match self.checksum {
            Checksum::Crc32 => crc(&page[4..26]) ^ crc(&page[38..end - 8]),
            Checksum::InnoDb => fold(&page[4..26]).wrapping_add(fold(&page[38..end - 8])),
            Checksum::None => 0xDEAD_BEEF,
        };
        put(page, 0, &sum.to_be_bytes());
        let sum = if self.checksum == Checksum::InnoDb { fold(&page[..26]) } else { sum };
        put(page, end - 8, &sum.to_be_bytes());
    }

    fn put_information(self, page: &mut [u8]) {
        let flags = self.flags() | 1 << 13;
        put(page, 54, &flags.to_be_bytes());
        put(page, self.information_offset(), &self.information());
    }

    pub(crate) fn information(self) -> Vec<u8> {
        let (magic, wide, uuid, number) = match self.information {
            Layout::V1 { wide } => (b"lCA", wide, None, 3_u32),
            Layout::V2 { wide } => (b"lCB", wide, Some(UUID), 3),
            Layout::V3 => (b"lCC", false, Some(UUID), 3),
            Layout::Default => (b"lCC", false, Some(UUID), 0),
        };
        let mut master = master_key();
        if self.information == Layout::Default {
            master = [0; 32];
            put(&mut master, 0, b"DefaultMasterKey");
        }
        let mut bytes = magic.to_vec();
        bytes.extend(number.to_be_bytes());
        if wide {
            bytes.extend([0; 4]);
        }
        bytes.extend(uuid.unwrap_or_default().as_bytes());
        let aes = Aes256::new(&master.into());
        for block in pair().chunks_exact(16) {
            let mut block: [u8; 16] = block.try_into().expect("16 bytes");
            aes.encrypt_block((&mut block).into());
            bytes.extend(block);
        }
        bytes.extend(crc(&pair()).to_be_bytes());
        bytes
    }
}

fn put(page: &mut [u8], at: usize, bytes: &[u8]) {
    page[at..at + bytes.len()].copy_from_slice(bytes);
}

fn cbc_encrypt(data: &mut [u8]) {
    let pair = pair();
    let (key, iv): ([u8; 32], [u8; 16]) =
        (pair[..32].try_into().expect("32 bytes"), pair[32..48].try_into().expect("16 bytes"));
    let mut chain = Encryptor::<Aes256>::new(&key.into(), &iv.into());
    for block in data.chunks_exact_mut(16) {
        let block: &mut [u8; 16] = block.try_into().expect("16 bytes");
        chain.encrypt_block(block.into());
    }
}

/// The bytes of a region, then its last 32 once more where it is not whole blocks.
pub(crate) fn encrypt_region(data: &mut [u8]) {
    let (length, whole) = (data.len(), data.len() / 16 * 16);
    cbc_encrypt(&mut data[..whole]);
    if whole < length {
        cbc_encrypt(&mut data[length - 32..]);
    }
}

fn encrypt_page(page: &mut [u8]) {
    let page_type = u16::from_be_bytes([page[24], page[25]]);
    let (encrypted, end) = match page_type {
        14 => {
            let used = 38 + usize::from(u16::from_be_bytes([page[32], page[33]]));
            (16_u16, if page[26] == 1 { used.next_multiple_of(4096) } else { used.max(70) })
        }
        17854 => (17, page.len()),
        _ => (15, page.len()),
    };
    if encrypted == 15 {
        put(page, 28, &page_type.to_be_bytes());
    }
    put(page, 24, &encrypted.to_be_bytes());
    encrypt_region(&mut page[38..end]);
}

fn page_compress(page: &[u8], version: u8, algorithm: u8) -> Vec<u8> {
    let body = &page[38..];
    let packed = if algorithm == 1 {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(body).expect("memory");
        encoder.finish().expect("memory")
    } else {
        lz4(body)
    };
    let mut out = vec![0; page.len()];
    out[..38].copy_from_slice(&page[..38]);
    put(&mut out, 24, &14_u16.to_be_bytes());
    out[26] = version;
    out[27] = algorithm;
    out[28..30].copy_from_slice(&page[24..26]);
    put(&mut out, 30, &(body.len() as u16).to_be_bytes());
    put(&mut out, 32, &(packed.len() as u16).to_be_bytes());
    put(&mut out, 38, &packed);
    out
}

/// An LZ4 block for bytes of which all but the first few and the last few are equal to the byte before.
fn lz4(body: &[u8]) -> Vec<u8> {
    /// What of a length does not fit into its half of the token.
    fn length(out: &mut Vec<u8>, length: usize) {
        let Some(mut rest) = length.checked_sub(15) else { return };
        while rest >= 255 {
            out.push(255);
            rest -= 255;
        }
        out.push(rest as u8);
    }
    // The match must end 12 bytes before the end, and the trailer of a page is 8 bytes.
    let end = body.len() - 16;
    let start = end - body[..end].iter().rev().take_while(|byte| **byte == 0).count() + 1;
    let mut out = vec![(start.min(15) << 4) as u8 | 0x0F];
    length(&mut out, start);
    out.extend_from_slice(&body[..start]);
    out.extend_from_slice(&1_u16.to_le_bytes());
    length(&mut out, end - start - 4);
    let last = &body[end..];
    out.push(0xF0);
    length(&mut out, last.len());
    out.extend_from_slice(last);
    out
}

/// CRC-32C, bit by bit.
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ ((sum & 1) * 0x82F6_3B78))
    })
}

fn adler(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (0_u64, 0_u64);
    for byte in bytes {
        low = (low + u64::from(*byte)) % 65521;
        high = (high + low) % 65521;
    }
    (high << 16 | low) as u32
}

/// In 64 bits, as servers compute it.
fn fold(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0_u64, |fold, byte| {
        let byte = u64::from(*byte);
        ((((fold ^ byte ^ 1_653_893_711) << 8).wrapping_add(fold)) ^ 1_463_735_687).wrapping_add(byte)
    }) as u32
}
