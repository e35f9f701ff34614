"""What can happen to money in and back: one public function each."""
