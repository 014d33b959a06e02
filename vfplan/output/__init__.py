"""What runs leave behind: folders, charts, videos."""
