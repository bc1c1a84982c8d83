//! Sizes as text: `"32MiB"`.

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads a size in bytes: a whole number and `B`, `KiB`, `MiB` or `GiB`.
pub fn parse(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*bytes)
}

/// Writes a size as [`parse`] reads it, in the largest unit that needs no fraction.
pub fn text(bytes: u64) -> String {
    let fits = UNITS.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    fits.map_or_else(|| "0B".to_owned(), |(name, unit)| format!("{}{name}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_whole_number_and_a_unit() {
        assert_eq!(parse("32MiB"), Some(33_554_432));
        assert_eq!(parse("1GiB"), Some(1_073_741_824));
        assert_eq!(parse("0B"), Some(0));
        for wrong in ["", "32", "MiB", "32 MiB", "32MB", "1.5GiB", "-1B", "99999999999999999GiB"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_written_size_reads_back_the_same() {
        for written in ["0B", "1000B", "64KiB", "32MiB", "3GiB"] {
            assert_eq!(parse(written).map(text).as_deref(), Some(written));
        }
    }
}
