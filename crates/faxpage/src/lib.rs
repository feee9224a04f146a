//! Fax pages: bitmaps, halftones, CCITT coding and TIFF-F files.
