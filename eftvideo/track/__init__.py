"""Who is who over time: detections linked to tracks, and their keypoints mended."""
