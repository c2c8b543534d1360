"""What a build folder consists of: ignore rules, trees and digests. Pure but for `reader`, which opens the files."""
