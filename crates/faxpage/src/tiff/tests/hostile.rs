use proptest::prelude::*;

use super::*;

#[test]
fn what_is_no_tiff_is_said_to_be_none() {
    for bytes in [&b""[..], b"I", b"II*\0", b"%PDF-1.4", b"MM\0\x2B\x08"] {
        let error = error(bytes);
        assert!(matches!(
            error,
            TiffError::NotTiff | TiffError::Unsupported(_)
        ));
    }
    assert_eq!(
        page_count(b"II*\0\0\0\0\0"),
        Err(TiffError::Damaged("no page"))
    );
}

#[test]
fn a_circle_of_directories_ends() {
    let mut file = write_tiff(&[fax(2), fax(2)]);
    // The last directory's link: after its entries, and it ends the chain.
    let first = u32::from_le_bytes([file[4], file[5], file[6], file[7]]);
    let mut last = first as usize;
    loop {
        let link = last + 2 + 12 * 18;
        let next = u32::from_le_bytes(file[link..link + 4].try_into().unwrap());
        if next == 0 {
            file[link..link + 4].copy_from_slice(&first.to_le_bytes());
            break;
        }
        last = next as usize;
    }
    let circle = TiffError::Damaged("the directories run in a circle");
    assert_eq!(page_count(&file), Err(circle));
    assert_eq!(read_tiff(&file, &LIMITS), Err(circle));
    let mut pages = TiffPages::new(&file, &LIMITS).unwrap();
    assert_eq!(pages.by_ref().filter(Result::is_ok).count(), 2);
    assert!(pages.next().is_none());
}

#[test]
fn limits_are_named() {
    let file = write_tiff(&[fax(10), fax(10), fax(10)]);
    let limits = |max_pages, max_pixels| TiffLimits {
        max_pages,
        max_pixels,
    };
    assert_eq!(
        read_tiff(&file, &limits(2, 17_280)),
        Err(TiffError::TooManyPages(2))
    );
    assert_eq!(
        read_tiff(&file, &limits(3, 17_279)),
        Err(TiffError::TooLarge(17_279))
    );
    assert!(read_tiff(&file, &limits(3, 17_280)).is_ok());
}

#[test]
fn giant_sizes_are_refused_before_anything_is_taken() {
    let max = u32::MAX;
    let file = |width: u32, height: u32| {
        Foreign::new(1, 1, 4, vec![vec![0; 8]])
            .with(256, LONG, &[width])
            .with(257, LONG, &[height])
    };
    for (width, height) in [(max, max), (max, 1), (1, max), (20_000, 20_000)] {
        let refused = error(&file(width, height).bytes());
        assert_eq!(refused, TiffError::TooLarge(LIMITS.max_pixels));
    }
    // A small page of giant tiles, and one of a great many one row strips.
    let tiles = file(10, 10).with(322, LONG, &[max]).with(323, LONG, &[max]);
    assert_eq!(
        error(&tiles.bytes()),
        TiffError::TooLarge(LIMITS.max_pixels)
    );
    let strips = file(1, 5_000_000).with(278, LONG, &[1]);
    assert_eq!(
        error(&strips.bytes()),
        TiffError::Damaged("strips are missing")
    );
    let nothing = file(0, 10);
    assert_eq!(
        error(&nothing.bytes()),
        TiffError::Damaged("a page without a size")
    );
}

#[test]
fn strips_that_share_their_bytes_are_refused() {
    let whole = Foreign::new(8, 1000, 4, vec![vec![0xFF; 9000]]);
    assert!(read_tiff(&whole.bytes(), &LIMITS).is_ok());
    let shared = whole
        .with(278, SHORT, &[1])
        .with(273, LONG, &[8; 1000])
        .with(279, LONG, &[9000; 1000]);
    let refused = TiffError::Damaged("strips share their bytes");
    assert_eq!(error(&shared.bytes()), refused);
}

#[test]
fn a_cut_file_is_an_error_at_every_length() {
    let file = write_tiff(&[fax(20)]);
    for length in 0..file.len() - 3 {
        assert!(read_tiff(&file[..length], &LIMITS).is_err(), "{length}");
    }
}

#[test]
fn a_damaged_group_4_strip_is_an_error_and_a_short_one_is_not() {
    let page = drawing(1728, 60);
    let coded = encode_g4(&page);
    let half = coded[..coded.len() / 2].to_vec();
    let cut = Foreign::new(1728, 60, 4, vec![half]);
    assert_eq!(
        error(&cut.bytes()),
        TiffError::Damaged("a strip does not decode")
    );
    let promised = Foreign::new(1728, 64, 4, vec![coded]);
    assert_eq!(only_bitmap(&promised), page.crop_rows(0, 64));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn mutated_files_never_panic_and_stay_in_their_limits(
        kind in 0usize..5,
        changes in proptest::collection::vec((any::<u32>(), any::<u8>()), 1..12),
        cut in any::<u32>(),
    ) {
        let page = drawing(200, 30);
        let foreign = |compression, bytes| Foreign::new(200, 30, compression, vec![bytes]).bytes();
        let mut file = match kind {
            0 => write_tiff(&[fax(10), fax(10)]),
            1 => foreign(3, encode_g3(&page, false)),
            2 => foreign(1, page.bits().to_vec()),
            3 => foreign(2, encode_g3(&page, false)),
            _ => Foreign::new(200, 30, 4, vec![encode_g4(&page); 4])
                .tiled(112, 16)
                .big_endian()
                .bytes(),
        };
        // Mostly where it hurts: the header and the directory.
        let near = file.len().min(300);
        for (at, value) in changes {
            let at = at as usize;
            let at = if at.is_multiple_of(3) { at % file.len() } else { file.len() - 1 - at % near };
            file[at] = value;
        }
        if cut % 4 == 0 {
            file.truncate(cut as usize % file.len());
        }
        fuzz_tiff(&file);
        let limits = TiffLimits { max_pages: 3, max_pixels: 100_000 };
        if let Ok(pages) = read_tiff(&file, &limits) {
            prop_assert!(pages.len() <= 3);
            for page in pages {
                let (width, height) = (page.bitmap.width(), page.bitmap.height());
                prop_assert!(u64::from(width) * u64::from(height) <= 100_000);
            }
        }
    }

    #[test]
    fn noise_after_a_header_never_panics(
        noise in proptest::collection::vec(any::<u8>(), 0..600),
        big_endian: bool,
    ) {
        let mut file = if big_endian { b"MM\0*\0\0\0\x08".to_vec() } else { b"II*\0\x08\0\0\0".to_vec() };
        file.extend(noise);
        fuzz_tiff(&file);
    }
}
