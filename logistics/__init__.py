"""The parcel: couriers, parcels, manifests, the partner API they are pulled over, and the scans that come back."""
